"""Estimates how long the parts of a planned run take."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from discern.counts import noun_of
from discern.data.table import ImageTable
from discern.engine.batch_statistics import SAMPLE_IMAGES
from discern.engine.views import NUM_VIEWS
from discern.models.classifier import Classifier
from discern.planning.phases import estimate_solving_seconds
from discern.planning.plan import PhasePlan, Plan
from discern.planning.speed import Speed, StartCost

_PLOTS_SECONDS = 5.0
_EXPLAINED = 36


class Counts(NamedTuple):
    """Number of pictures in each split, number of classes, and the length F of the features."""

    train: int
    validation: int
    test: int
    classes: int
    features: int = 0


def count_pictures(plan: Plan, table: ImageTable, classifier: Classifier) -> Counts:
    """Return the numbers that the time of a run depends on."""
    train = len(table.select("train"))
    return Counts(
        train=min(plan.training.max_images or train, train),
        validation=len(table.select("validation")),
        test=len(table.select("test")) if plan.evaluates_test else 0,
        classes=len(table.class_names),
        features=classifier.backbone.num_features,
    )


def estimate_probe_seconds(cost: StartCost, images: int, num_classes: int) -> float:
    """Return the seconds for the features of pictures, and for solving for a linear head on them."""
    features = images * (cost.reading_seconds + cost.forward_seconds)
    return features + estimate_solving_seconds(images, num_classes, cost.num_features)


def estimate_training_seconds(phases: Sequence[PhasePlan], cost: StartCost, images: int, num_classes: int) -> float:
    """Return the seconds of all phases, without validation and evaluation, before there is a plan."""
    views = max((phase.views for phase in phases), default=0)
    epochs = sum(cost.training_seconds[phase.name] * phase.epochs for phase in phases if not phase.views)
    return views * estimate_probe_seconds(cost, images, num_classes) + images * epochs


class Part(NamedTuple):
    """A part of a run and the seconds it takes."""

    seconds: float
    name: str

    def describe(self) -> str:
        """Return it as text for people."""
        return f"{self.seconds:.0f} s {self.name}"


class Estimate:
    """Seconds that the parts of a run take."""

    def __init__(self, plan: Plan, speed: Speed, counts: Counts) -> None:
        self._plan = plan
        self._speed = speed
        self._counts = counts
        self._views = max((phase.views for phase in plan.phases), default=0)
        bank = plan.training.feature_bank
        views = [NUM_VIEWS[tta] for tta in plan.training.tta_candidates]
        viewed = counts.test * max(views) + counts.validation * sum(number for number in views if number > 1)
        self.ending = _PLOTS_SECONDS + speed.prediction_seconds * (viewed + _EXPLAINED)
        """Seconds after the last epoch: the views of validation and test pictures, plots and report."""
        self.feature_bank = speed.prediction_seconds * (min(bank, counts.train) + counts.validation) if bank else 0.0
        """Seconds for the features that the bundle keeps; those of a frozen backbone are computed already."""

    @property
    def _feature_seconds(self) -> float:
        """Seconds for the features of one training picture, and for its share in solving for the head."""
        solving = 0.0
        if any(phase.head_solver == "lbfgs" for phase in self._plan.phases):
            solving = estimate_solving_seconds(self._counts.train, self._counts.classes, self._counts.features)
        return self._speed.prediction_seconds * self._views + solving / self._counts.train

    def choose_sample(self, left: float) -> int | None:
        """Return how many training pictures there is time to use once; None for all."""
        per_picture = self._feature_seconds if self._views else min(self._speed.training_seconds.values())
        possible = int((left - self._speed.prediction_seconds * self._counts.validation) / per_picture)
        if possible >= self._counts.train:
            return None
        return min(self._counts.train, max(2 * self._counts.classes, possible))

    def estimate_features(self, images: int) -> float:
        """Return the seconds for the features of training and validation pictures; 0 if none are needed."""
        if not self._views:
            return 0.0
        return self._feature_seconds * images + self._speed.prediction_seconds * self._counts.validation

    def estimate_epoch(self, phase: PhasePlan, images: int) -> float:
        """Return the seconds of an epoch, with validation and the estimation of BatchNorm's statistics."""
        estimates = not phase.frozen_batchnorm and phase.sees_other_pictures
        sample = min(images, SAMPLE_IMAGES) if estimates else 0
        return self._speed.training_seconds[phase.name] * images + self._speed.prediction_seconds * (
            self._counts.validation + sample
        )

    def estimate_ending(self, lengths: Mapping[str, float]) -> float:
        """Return the seconds after the last epoch of phases with these numbers of epochs."""
        # Without phases, the same passes give the features and the predictions that calibration needs.
        return self.ending + (self.feature_bank if lengths or not self._plan.phases else 0.0)

    def list_parts(self, lengths: Mapping[str, float], images: int) -> list[Part]:
        """Return the parts of a run whose phases train for so many epochs, by name, on so many pictures."""
        parts = []
        features = self.estimate_features(images)
        if features:
            parts.append(Part(features, f"for features of {images} training pictures and their head"))
        for phase in self._plan.phases:
            if phase.name in lengths:
                seconds, length = self.estimate_epoch(phase, images), lengths[phase.name]
                name = f"for {round(length, 1):g} {noun_of(length, 'epoch')} of {seconds:.1f} s in {phase.name}"
                parts.append(Part(seconds * length, name))
        return [*parts, Part(self.estimate_ending(lengths), "for evaluation and report")]
