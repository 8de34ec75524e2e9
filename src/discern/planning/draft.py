"""Drafts the plan of a run: all that settings, pictures and machine decide, before a time limit is looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from discern.config.duration import parse_duration
from discern.config.sections.training import TrainingBase, TrainingSettings, Tta
from discern.config.settings import Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.preprocess import scale_size
from discern.data.table import ImageTable
from discern.engine.views import NUM_VIEWS
from discern.models.architecture import CUSTOM
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.planning.check import check_phases
from discern.planning.network import ChosenNetwork, choose_network
from discern.planning.phases import PhaseFacts, plan_phases
from discern.planning.plan import MachinePlan, Plan, TeacherPlan, TrainingPlan
from discern.planning.reading import plan_preprocess, plan_reading
from discern.planning.sizes import choose_batch_size, find_shorter_side
from discern.planning.start import ChosenStart
from discern.runtime import Runtime


class Draft(NamedTuple):
    """A plan, and the network that it is for, with random weights."""

    plan: Plan
    classifier: Classifier


@dataclass(frozen=True)
class Drafter:
    """What a plan is made from.

    Args:
        settings: What the user asks for.
        table: The pictures, split.
        sides: Width and height, in pixels, of some training pictures.
        found: The starting point.
        runtime: Device, precision and processes.
        cache: For what is computed from pictures.
        network: The user's own network, if there is one.
        custom: The Python objects that the user gave, by name; see `Plan.custom`.
        teacher: What is learnt from beside the labels, if there is one.
    """

    settings: Settings
    table: ImageTable
    sides: Sequence[tuple[int, int]]
    found: ChosenStart
    runtime: Runtime
    cache: ArrayCache
    network: Network | None
    custom: Mapping[str, str]
    teacher: TeacherPlan | None

    def draft(self, *, has_time: bool) -> Draft:
        """Return a plan that takes as long as it takes; if it `has_time`, perhaps with larger pictures than usual.

        Raises:
            ConfigError: Settings contradict each other, or do not fit the network.
        """
        settings, train = self.settings, self.table.select("train")
        chosen, reasons = choose_network(settings, train, self.sides, self.found, self.network, has_time=has_time)
        start, architecture, classifier, size = chosen
        facts, reasons["training.batch_size"] = self._gather_facts(chosen, train)
        tta_candidates, reasons["training.tta"] = _list_tta(settings.training.tta)
        must_gain, reasons["training.must_gain"] = _plan_must_gain(settings.training)
        phases, phase_reasons = plan_phases(settings.training.phases, facts)
        check_phases(phases, classifier)
        for phase in phases:
            classifier.backbone.check_image_size(scale_size(size, phase.image_scale))
        plan = Plan(
            recipe=settings.recipe.name,
            seed=settings.run.seed,
            architecture=architecture,
            weights=start.weights,
            head_class_names=settings.model.class_names if settings.model.load_head else (),
            preprocess=plan_preprocess(settings.data, size, start.fit, classifier.backbone, self.table.depth_range),
            training=TrainingPlan(
                batch_size=facts.batch_size,
                tta_candidates=tta_candidates,
                must_gain=must_gain,
                teacher=self.teacher,
                **{name: getattr(settings.training, name) for name in TrainingBase.model_fields},
            ),
            phases=phases,
            reading=plan_reading(settings, facts.images, self.cache, self.runtime),
            machine=_describe_machine(self.runtime),
            folds=settings.run.folds,
            evaluates_test=settings.run.evaluate_test,
            draws_plots=settings.run.plots,
            writes_report=settings.run.report,
            custom=dict(self.custom),
            candidates=self.found.candidates,
            reasons={name: reason for name, reason in reasons.items() if reason} | phase_reasons,
        )
        return Draft(plan, classifier)

    def _gather_facts(self, chosen: ChosenNetwork, train: ImageTable) -> tuple[PhaseFacts, str | None]:
        """Return what phases are planned by, and the reason for the batch size, which is chosen here."""
        images = min(self.settings.training.max_images or len(train), len(train))
        is_pretrained = chosen.start.weights != "none"
        batch_size, reason = choose_batch_size(
            self.settings.training.batch_size,
            chosen.classifier,
            chosen.image_size,
            images=images,
            is_pretrained=is_pretrained,
            runtime=self.runtime,
        )
        facts = PhaseFacts(
            images=images,
            num_classes=len(train.class_names),
            is_pretrained=is_pretrained,
            is_own_network=chosen.architecture.backbone == CUSTOM,
            loads_head=self.settings.model.load_head,
            has_linear_head=chosen.architecture.head == "linear",
            reads_more=chosen.classifier.backbone.reads_more,
            is_enlarged=find_shorter_side(self.sides) <= chosen.image_size,
            batch_size=batch_size,
            features=chosen.classifier.backbone.num_features,
            mixes=self.settings.training.mixup > 0 or self.settings.training.cutmix > 0,
            features_cached=self.settings.cache.features == "auto",
            views=self.settings.cache.views,
            budget_seconds=None if self.settings.run.budget is None else parse_duration(self.settings.run.budget),
            custom_augment="augment" in self.custom,
        )
        return facts, reason


def _list_tta(asked: Tta | Literal["auto"]) -> tuple[tuple[Tta, ...], str | None]:
    """Return the views to choose from once the classifier is trained, the cheapest first, and the reason."""
    if asked != "auto":
        return (asked,), None
    return tuple(NUM_VIEWS), f"chosen among {', '.join(NUM_VIEWS)} on validation, when the classifier is trained"


def _plan_must_gain(asked: TrainingSettings) -> tuple[bool, str | None]:
    """Return whether training ends where a later phase cannot gain, and why."""
    if asked.must_gain != "auto":
        return asked.must_gain, None
    if len(asked.phases) < 2:
        return False, None
    if asked.monitor != "validation_accuracy":
        return False, f"false, since the model is chosen by {asked.monitor}"
    if any(phase.epochs != "auto" for phase in asked.phases[1:]):
        return False, "false, since a number of epochs is asked for"
    return True, "true, since the number of epochs is open: those that cannot be shown to gain are not trained"


def _describe_machine(runtime: Runtime) -> MachinePlan:
    return MachinePlan(
        # Each of several processes takes the GPU of its rank.
        device=runtime.device.type if runtime.processes.count > 1 else str(runtime.device),
        precision=runtime.precision,
        threads=runtime.threads,
        determinism=runtime.determinism,
        accelerates=runtime.accelerates,
        processes=runtime.processes.count,
    )
