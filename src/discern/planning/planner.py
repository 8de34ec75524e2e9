"""Makes the plan of a run from settings, pictures and machine."""

import time
from collections.abc import Mapping

from discern.config.duration import parse_duration
from discern.config.settings import Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.table import ImageTable
from discern.models.custom import Network
from discern.planning.budget import fit_to_budget
from discern.planning.check import check_policies
from discern.planning.draft import Drafter
from discern.planning.estimate import count_pictures
from discern.planning.loaded_head import check_load_head
from discern.planning.plan import PhasePlan, Plan, TeacherPlan
from discern.planning.plan_log import log_plan
from discern.planning.reading import plan_picture_cache
from discern.planning.sizes import measure_sides
from discern.planning.speed import Speed, measure_speed
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
    check_policies(settings.training.phases)
    check_load_head(settings.model, trains=bool(settings.training.phases), custom_network=network is not None)
    train = table.select("train")
    sides = measure_sides(train, settings.data.max_pixels)
    found = choose_start(settings, train, sides, runtime, cache, custom_network=network is not None, started=started)
    drafter = Drafter(settings, table, sides, found, runtime, cache, network, custom or {}, teacher)
    if settings.run.budget is None or not settings.training.phases:
        plan = drafter.draft(has_time=True).plan
    else:
        plan = _fit_to_time(drafter, parse_duration(settings.run.budget), started)
    plan = _plan_picture_caches(plan, settings, table, sides, runtime)
    log_plan(plan)
    return plan


def _fit_to_time(drafter: Drafter, seconds: float, started: float) -> Plan:
    """Return a plan for `seconds`, with larger pictures than usual if there is time for all their epochs."""
    table, runtime = drafter.table, drafter.runtime
    usual, classifier = drafter.draft(has_time=False)
    runtime.place(classifier)
    counts = count_pictures(usual, table, classifier)
    speed = measure_speed(usual, classifier, table.select("train"), runtime)

    def fit(plan: Plan, speed: Speed) -> Plan:
        return fit_to_budget(
            plan,
            drafter.settings.training.phases,
            speed,
            counts,
            seconds=seconds,
            spent_seconds=time.monotonic() - started,
            # Several processes must finish an epoch together, and without validation an unfinished one does not count.
            may_end_early=counts.validation > 0 and runtime.processes.count == 1,
        )

    larger = drafter.draft(has_time=True).plan
    if larger.preprocess.image_size > usual.preprocess.image_size:
        fitted = fit(larger, speed.times((larger.preprocess.image_size / usual.preprocess.image_size) ** 2))
        if _has_all_epochs(fitted, larger):
            return fitted
    return fit(usual, speed)


def _has_all_epochs(fitted: Plan, wanted: Plan) -> bool:
    """Return whether a plan that was fitted to a time trains as long as was wanted, on all pictures."""
    lengths = {phase.name: phase.length for phase in fitted.phases}
    has_all_pictures = fitted.training.max_images == wanted.training.max_images
    return has_all_pictures and all(lengths.get(phase.name, 0) >= phase.length for phase in wanted.phases)


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
