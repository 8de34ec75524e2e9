"""Makes the plan of a run from settings, pictures and machine."""

import time
from collections.abc import Mapping, Sequence
from typing import Literal

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
from discern.planning.budget import fit_to_budget
from discern.planning.check import check_phases, check_policies
from discern.planning.estimate import count_pictures
from discern.planning.loaded_head import check_load_head
from discern.planning.network import ChosenNetwork, choose_network
from discern.planning.phases import PhaseFacts, plan_phases
from discern.planning.plan import MachinePlan, PhasePlan, Plan, TeacherPlan, TrainingPlan
from discern.planning.plan_log import log_plan
from discern.planning.reading import plan_picture_cache, plan_preprocess, plan_reading
from discern.planning.sizes import choose_batch_size, find_shorter_side, measure_sides
from discern.planning.speed import measure_speed
from discern.planning.start import choose_start
from discern.runtime import Runtime


def plan_training(
    settings: Settings,
    table: ImageTable,
    runtime: Runtime,
    cache: ArrayCache,
    *,
    network: Network | None = None,
    custom: Mapping[str, str] | None = None,
    teacher: TeacherPlan | None = None,
    started: float | None = None,
) -> Plan:
    """Decide everything that the settings leave open, and log the reasons.

    Args:
        settings: What the user asks for.
        table: The pictures, split.
        runtime: Device, precision and processes.
        cache: For the features that are computed to compare starts.
        network: The user's own network, if there is one.
        custom: The Python objects that the user gave, by name; see `Plan.custom`.
        teacher: What is learnt from beside the labels, if there is one.
        started: Value of `time.monotonic()` at which the time budget began; now by default.

    Raises:
        ConfigError: Settings contradict each other, or do not fit the network or the machine.
        WeightsError: Weights to compare cannot be loaded.
    """
    started = time.monotonic() if started is None else started
    custom = dict(custom or {})
    check_policies(settings.training.phases)
    check_load_head(settings.model, trains=bool(settings.training.phases), custom_network=network is not None)
    train = table.select("train")
    sides = measure_sides(train, settings.data.max_pixels)
    found = choose_start(settings, train, sides, runtime, cache, custom_network=network is not None, started=started)
    chosen, reasons = choose_network(settings, train, sides, found, network)
    start, architecture, classifier, size = chosen
    facts, reasons["training.batch_size"] = _gather_facts(
        settings, train, chosen, sides, runtime, custom_augment="augment" in custom
    )
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
        preprocess=plan_preprocess(settings.data, size, start.fit, classifier.backbone, table.depth_range),
        training=TrainingPlan(
            batch_size=facts.batch_size,
            tta_candidates=tta_candidates,
            must_gain=must_gain,
            teacher=teacher,
            **{name: getattr(settings.training, name) for name in TrainingBase.model_fields},
        ),
        phases=phases,
        reading=plan_reading(settings, facts.images, cache, runtime),
        machine=_describe_machine(runtime),
        folds=settings.run.folds,
        evaluates_test=settings.run.evaluate_test,
        draws_plots=settings.run.plots,
        writes_report=settings.run.report,
        custom=custom,
        candidates=found.candidates,
        reasons={name: reason for name, reason in reasons.items() if reason} | phase_reasons,
    )
    if settings.run.budget is not None and phases:
        plan = _fit_to_time(plan, settings, classifier, table, runtime, started)
    plan = _plan_picture_caches(plan, settings, table, sides, runtime)
    log_plan(plan)
    return plan


def _gather_facts(
    settings: Settings,
    train: ImageTable,
    chosen: ChosenNetwork,
    sides: Sequence[tuple[int, int]],
    runtime: Runtime,
    *,
    custom_augment: bool,
) -> tuple[PhaseFacts, str | None]:
    """Return what phases are planned by, and the reason for the batch size, which is chosen here."""
    images = min(settings.training.max_images or len(train), len(train))
    is_pretrained = chosen.start.weights != "none"
    batch_size, reason = choose_batch_size(
        settings.training.batch_size,
        chosen.classifier,
        chosen.image_size,
        images=images,
        is_pretrained=is_pretrained,
        runtime=runtime,
    )
    facts = PhaseFacts(
        images=images,
        num_classes=len(train.class_names),
        is_pretrained=is_pretrained,
        is_own_network=chosen.architecture.backbone == CUSTOM,
        loads_head=settings.model.load_head,
        has_linear_head=chosen.architecture.head == "linear",
        reads_more=chosen.classifier.backbone.reads_more,
        is_enlarged=find_shorter_side(sides) <= chosen.image_size,
        batch_size=batch_size,
        features=chosen.classifier.backbone.num_features,
        mixes=settings.training.mixup > 0 or settings.training.cutmix > 0,
        features_cached=settings.cache.features == "auto",
        views=settings.cache.views,
        budget_seconds=None if settings.run.budget is None else parse_duration(settings.run.budget),
        custom_augment=custom_augment,
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


def _fit_to_time(
    plan: Plan, settings: Settings, classifier: Classifier, table: ImageTable, runtime: Runtime, started: float
) -> Plan:
    runtime.place(classifier)
    counts = count_pictures(plan, table, classifier)
    speed = measure_speed(plan, classifier, table.select("train"), runtime)
    return fit_to_budget(
        plan,
        settings.training.phases,
        speed,
        counts,
        seconds=parse_duration(settings.run.budget or ""),
        spent_seconds=time.monotonic() - started,
        # Several processes must finish an epoch together, and without validation an unfinished epoch does not count.
        may_end_early=counts.validation > 0 and runtime.processes.count == 1,
    )


def _plan_picture_caches(
    plan: Plan, settings: Settings, table: ImageTable, sides: list[tuple[int, int]], runtime: Runtime
) -> Plan:
    phases: list[PhasePlan] = []
    reasons = dict(plan.reasons)
    for phase in plan.phases:
        planned, reason = plan_picture_cache(
            phase, settings, table, sides, plan.preprocess.image_size, plan.reading, runtime
        )
        phases.append(planned)
        reasons |= {f"{phase.name}.picture_cache": reason} if reason else {}
    return plan.model_copy(update={"phases": tuple(phases), "reasons": reasons})
