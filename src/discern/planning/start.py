"""Chooses the start of a run by a linear probe: the network, its weights, the fit of pictures, what the head reads."""

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.config.duration import parse_duration
from discern.config.settings import Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.loaders import choose_workers
from discern.data.reading.preprocess import Preprocess
from discern.data.splitting.sample import sample_table
from discern.data.table import ImageTable
from discern.engine.frozen_features import compute_frozen_features
from discern.engine.head_solver import ProbeScore, cross_validate
from discern.errors import WeightsError
from discern.models.architecture import Architecture
from discern.models.build import build_classifier
from discern.models.classifier import Classifier
from discern.models.weights.pretrained import load_pretrained
from discern.planning.budget import MARGIN
from discern.planning.candidates import Start, choose_default_start, describe_network, is_found, list_starts
from discern.planning.comparison import Scored, build_candidates, choose_scored, describe_scored
from discern.planning.estimate import estimate_probe_seconds, estimate_training_seconds
from discern.planning.phases import PhaseFacts, plan_phases
from discern.planning.plan import CandidatePlan, PhasePlan
from discern.planning.reading import plan_preprocess
from discern.planning.sizes import choose_image_size, choose_stem, find_shorter_side
from discern.planning.speed import MeasuredReading, StartCost, measure_start_cost
from discern.runtime import Runtime

logger = logging.getLogger("discern")

_SAMPLE, _MIN_SAMPLE = 1000, 100
_ONLY = "since no other weights to choose from are on this machine"
_MEMORY_BYTES = 2**30
_COMPARING_SHARE, _COMPARING_SECONDS = 0.1, 600.0
"""Largest share of a budget for comparing, and the seconds for it without one."""
_MEASURING_SECONDS = 2.0
"""About what it takes to measure the cost of a network."""


class ChosenStart(NamedTuple):
    """The start of a run, why it was chosen if there was a choice, and what it was compared with."""

    start: Start
    reason: str | None = None
    candidates: tuple[CandidatePlan, ...] = ()


def choose_start(
    settings: Settings,
    train: ImageTable,
    sides: Sequence[tuple[int, int]],
    runtime: Runtime,
    cache: ArrayCache | None,
    *,
    custom_network: bool = False,
    started: float | None = None,
) -> ChosenStart:
    """Return the start of a run.

    Starts are compared by cross-validating a linear head on the frozen features of up to 1,000 training pictures; see
    `choose_scored` for the rule. Only weights on this machine are compared; if there are none, the newest are used and
    downloaded, here already if what the head reads of them is open. If a tenth of the time budget, or ten minutes
    without one, is too short even for 100 pictures, the first weights on this machine are used without a comparison.
    Several processes, which might find different files, always use the newest.

    Args:
        settings: What the user asks for.
        train: The training pictures.
        sides: Width and height of some of them in pixels.
        runtime: Device, precision and processes.
        cache: For the features.
        custom_network: Whether the user gave a network, for which there is no choice.
        started: Value of `time.monotonic()` at which the time budget began; now by default.

    Raises:
        WeightsError: Weights to compare do not fit their network, or a file of the user is not named after one.
    """
    started = time.monotonic() if started is None else started
    default = choose_default_start(settings, custom_network=custom_network)
    is_open = "auto" in (settings.model.weights, settings.data.fit, settings.model.features)
    is_open = is_open or bool(settings.model.candidates)
    if custom_network or not is_open or runtime.processes.count > 1:
        return ChosenStart(default)
    starts = list_starts(settings, sides)
    networks = list(dict.fromkeys(describe_network(one.backbone, one.weights) for one in starts))
    if len(starts) == 1:
        is_only = is_found(starts[0], settings.model) and starts[0] != default
        return ChosenStart(starts[0], f"{networks[0]}, {_ONLY}" if is_only else None)
    if len(networks) > 1:
        logger.info(
            "comparing what is on this machine by linear probes: %s; weights that are not here are not compared",
            ", ".join(networks),
        )
    comparison = _Comparison(settings, train, sides, runtime, cache)
    sample = comparison.choose_sample(starts)
    if sample is None:
        # The last of the network, which reads the least.
        first = [one for one in starts if one[:3] == starts[0][:3]][-1]
        return ChosenStart(first, f"{first.describe()}, without a comparison: {comparison.obstacle}")
    scored = [comparison.score(start, sample) for start in starts]
    left = comparison.count_seconds_left(started)
    choice = choose_scored(scored, left)
    reason = describe_scored(scored, choice)
    differ_in_more_than_fit = len(networks) > 1 or len({one.features for one in starts}) > 1
    logger.log(logging.INFO if differ_in_more_than_fit else logging.DEBUG, "starting point: %s", reason)
    return ChosenStart(starts[choice.place], reason, build_candidates(scored, choice.place))


class _Comparison:
    """Measures starts on the same training pictures."""

    def __init__(
        self,
        settings: Settings,
        train: ImageTable,
        sides: Sequence[tuple[int, int]],
        runtime: Runtime,
        cache: ArrayCache | None,
    ) -> None:
        self._settings, self._train, self._sides = settings, train, sides
        self._runtime, self._cache = runtime, cache
        budget = settings.run.budget
        self._budget_seconds = None if budget is None else parse_duration(budget)
        self._costs: dict[str, StartCost] = {}
        self._computed: tuple[Start, npt.NDArray[np.float32]] | None = None
        self.obstacle = ""
        """Why there is no sample."""

    def choose_sample(self, starts: Sequence[Start]) -> ImageTable | None:
        """Return up to 1,000 pictures, as many as there is time for, of classes that have two or more of them."""
        allowed = _COMPARING_SECONDS if self._budget_seconds is None else _COMPARING_SHARE * self._budget_seconds
        self.obstacle = f"it would take more than the {allowed:.0f} s that there are for it"
        if allowed < _MEASURING_SECONDS * len({start.backbone for start in starts}):
            return None
        self._measure_costs(starts)
        # What the head may read of a picture is computed once.
        computed = dict.fromkeys(start[:3] for start in starts)
        costs = [self._costs[backbone] for backbone, _, _ in computed]
        images = min(_SAMPLE, len(self._train))
        seconds = sum(estimate_probe_seconds(cost, images, len(self._train.class_names)) for cost in costs)
        images = min(images, int(images * allowed / seconds))
        if images < min(_MIN_SAMPLE, len(self._train)):
            return None
        sample = sample_table(self._train, images, seed=self._settings.run.seed)
        counts = np.bincount(sample.targets())
        has_two = counts[sample.targets()] > 1
        if (counts > 1).sum() < 2:
            self.obstacle = "fewer than two classes have two or more pictures"
            return None
        # The same table if nothing is left out, so that training finds its features in the cache.
        return sample if has_two.all() else sample.take(np.flatnonzero(has_two))

    def score(self, start: Start, sample: ImageTable) -> Scored:
        """Return the score of a start on a sample that was chosen for it, and its costs."""
        cost = self._costs[start.backbone]
        classes = len(self._train.class_names)
        training = estimate_training_seconds(self._plan_phases(cost.num_features), cost, self._count_images(), classes)
        return Scored(start.describe(), self._probe(start, sample), cost, training)

    def count_seconds_left(self, started: float) -> float | None:
        """Return what is left of the time budget, without its margin; None if there is none."""
        if self._budget_seconds is None:
            return None
        return self._budget_seconds * (1 - MARGIN) - (time.monotonic() - started)

    def _measure_costs(self, starts: Sequence[Start]) -> None:
        data, device = self._settings.data, self._runtime.device.type
        workers = max(1, choose_workers(data.workers, len(self._train), device, num_ranks=1))
        for start in starts:
            # What the head reads changes next to nothing; measured is the first, which reads the most.
            if start.backbone not in self._costs:
                classifier, preprocess = build_start(start, self._settings, self._train, self._sides)
                reading = MeasuredReading(preprocess, data.max_pixels, self._settings.run.seed, workers)
                phases = self._plan_phases(classifier.backbone.num_features)
                self._costs[start.backbone] = measure_start_cost(
                    phases, reading, classifier, self._train, self._runtime
                )

    def _plan_phases(self, num_features: int) -> tuple[PhasePlan, ...]:
        facts = PhaseFacts(
            self._count_images(),
            len(self._train.class_names),
            has_linear_head=self._settings.model.head == "linear",
            features=num_features,
        )
        return plan_phases(self._settings.training.phases, facts)[0]

    def _count_images(self) -> int:
        return min(self._settings.training.max_images or len(self._train), len(self._train))

    def _probe(self, start: Start, sample: ImageTable) -> ProbeScore:
        """Return the cross-validated score of a linear head on frozen features."""
        features = self._compute_features(start, sample)
        _, targets = np.unique(sample.targets(), return_inverse=True)
        return cross_validate(features, targets)

    def _compute_features(self, start: Start, sample: ImageTable) -> npt.NDArray[np.float32]:
        """Return the features (N, F) of a start."""
        try:
            features = compute_start_features(
                start,
                self._settings,
                sample,
                self._sides,
                self._runtime,
                self._cache,
                known=self._find_known(start),
            )
        except WeightsError as error:
            if not is_found(start, self._settings.model):
                raise
            raise WeightsError(
                f"{error}\nThey are compared because they are on this machine; to leave them out, remove the file "
                "or name a network, as in model.backbone=resnet50."
            ) from None
        self._computed = start, features
        return features

    def _find_known(self, start: Start) -> npt.NDArray[np.float32] | None:
        """Return the features of the last map where the start before read more: they are the first of those."""
        if self._computed is None or start.features != "last" or self._computed[0][:3] != start[:3]:
            return None
        classifier, _ = build_start(start, self._settings, self._train, self._sides)
        return self._computed[1][:, : classifier.backbone.num_features]


def build_start(
    start: Start, settings: Settings, table: ImageTable, sides: Sequence[tuple[int, int]]
) -> tuple[Classifier, Preprocess]:
    """Return the classifier of a start with random weights, at the size it would train at, and its preprocessing.

    Raises:
        WeightsError: The file of the weights, which decides on the stem, cannot be read.
        ConfigError: The network does not take images of the size that is set.
    """
    stem, _ = choose_stem(settings.model.stem, start.backbone, start.weights, find_shorter_side(sides))
    # Pictures without labels have features, too, and no head is without a class.
    num_classes = max(1, len(table.class_names))
    architecture = Architecture(backbone=start.backbone, stem=stem, features=start.features)
    classifier = build_classifier(architecture, num_classes)
    size, _ = choose_image_size(
        settings, classifier.backbone, start.weights, stem, sides, has_time=settings.run.budget is None
    )
    classifier.backbone.set_image_size(size)
    return classifier, plan_preprocess(settings.data, size, start.fit, classifier.backbone, table.depth_range)


def compute_start_features(
    start: Start,
    settings: Settings,
    table: ImageTable,
    sides: Sequence[tuple[int, int]],
    runtime: Runtime,
    cache: ArrayCache | None,
    *,
    known: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the features (N, F) of pictures by the pretrained network of a start, at the size it would train at.

    Where they are `known` already, the cache keeps them for training.

    Raises:
        WeightsError: The weights cannot be loaded.
        ConfigError: The network does not take images of the size that is set.
        DataError: There is no room for the features.
    """
    classifier, preprocess = build_start(start, settings, table, sides)
    load_pretrained(classifier.backbone, start.weights)
    runtime.place(classifier.backbone)
    return compute_frozen_features(
        classifier.backbone,
        table,
        preprocess,
        runtime,
        cache,
        max_pixels=settings.data.max_pixels,
        memory_bytes=_MEMORY_BYTES,
        known=known,
    )
