"""Resumes an interrupted training, with the same result as without the interruption."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from torch import Tensor

from discern.config.load import load_settings, read_settings
from discern.config.overrides import Overrides, list_overrides
from discern.console import reporting
from discern.data.cache.home import build_cache
from discern.data.record import reload_pictures
from discern.data.sources.load import Source
from discern.data.splitting.folds import load_folds
from discern.engine.forward import check_same_rows
from discern.engine.train_step import Loss
from discern.environment import describe_machine, load_environment, save_environment
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.ownership import owning
from discern.planning.adapt import adapt_plan, check_same_settings, choose_resumed_runtime
from discern.planning.plan import Plan, check_sealed, load_plan
from discern.processes import Processes, join_processes
from discern.reports.run import Run
from discern.run_folder import RunFolder, check_interrupted_run
from discern.runtime import seed_everything
from discern.seconds import logging_seconds, measuring
from discern.tracking.following import check_trackers
from discern.training.custom import Custom
from discern.training.listeners import Listener, check_listeners
from discern.training.start import build_planned, load_start
from discern.training.state import TrainingState
from discern.training.state_loading import has_state, load_state
from discern.workflows.carry_out import carry_out
from discern.workflows.folds import carry_out_folds
from discern.workflows.job import Job, choose_listeners
from discern.workflows.teacher import reload_teacher

logger = logging.getLogger("discern")


def resume(
    out: str | Path,
    source: Source | None = None,
    *,
    recipe: str | Path | None = None,
    overrides: Overrides = (),
    network: Network | None = None,
    loss: Loss | None = None,
    metrics: Mapping[str, MetricFunction] | None = None,
    augment: Callable[[Tensor], Tensor] | None = None,
    listeners: Sequence[Listener] = (),
    verbose: bool = True,
    **settings: Any,
) -> Run:
    """Resume an interrupted run, with the result of an uninterrupted one (bit-equal on a CPU with determinism).

    The plan is read from the run folder, and nothing is planned again. `source`, `recipe` and settings may be left out;
    if given, they must be those that the run was started with. Only `run.device`, `run.threads`, `data.workers`,
    `data.cache`, `training.trackers`, and the folder and the limit of the cache may differ. Your own network, loss,
    metrics or augmentation must be given again.

    Args:
        out: The run folder.
        source: The pictures; needed if they were in memory.
        recipe: As for `train`.
        overrides: As for `train`.
        network: As for `train`.
        loss: As for `train`.
        metrics: As for `train`.
        augment: As for `train`.
        listeners: As for `train`.
        verbose: As for `train`.
        **settings: As for `train`.

    Raises:
        RunFolderError: There is nothing to resume, the run belongs to another process, which may still train it, or
            settings, data or your own objects are not those of the run.
    """
    started = time.monotonic()
    custom = Custom(network, loss, metrics or {}, augment)
    check_listeners(listeners)
    processes = join_processes()
    folder = RunFolder(Path(out))
    owned = owning(folder.root, "discern train --resume") if processes.is_main else nullcontext()
    with reporting(verbose=verbose) as messages, logging_seconds(started), owned:
        check_interrupted_run(folder)
        check_sealed(folder.plan)
        original = read_settings(folder.config)
        wanted = load_settings(folder.config if recipe is None else recipe, list_overrides(overrides, settings))
        check_same_settings(wanted, original, folder.root)
        plan, environment = load_plan(folder.plan), load_environment(folder.environment)
        custom.check_same(plan.custom, folder.root)
        if processes.is_main:
            check_trackers(wanted.training.trackers)
        runtime = choose_resumed_runtime(plan, wanted, original, processes)
        with runtime.applied():
            with processes.main_first():
                cache = build_cache(wanted.cache.folder, wanted.cache.limit_gigabytes)
                bad_files = folder.bad_files if processes.is_main else None
                in_folds = plan.folds is not None
                with measuring("checking pictures"):
                    table = reload_pictures(
                        source, wanted.data, environment.data, folder, cache, bad_files, in_folds=in_folds
                    )
                plan = adapt_plan(plan, wanted, original, runtime)
                environment = environment.model_copy(
                    update={"resumed": (*environment.resumed, describe_machine(runtime))}
                )
                if processes.is_main:
                    save_environment(environment, folder.environment)
                    messages.open_log(folder.log)
                logger.info("%s, seed %d", runtime.describe(), plan.seed)
            check_same_rows(table, processes)
            asked_teacher = plan.training.teacher
            teacher = None if asked_teacher is None else reload_teacher(asked_teacher, table, runtime)
            job = Job(plan, table, environment, folder, runtime, custom, started, teacher)
            if in_folds:
                return carry_out_folds(job, load_folds(table, folder.folds), wanted, listeners, messages)
            with processes.main_first():
                seed_everything(plan.seed)
                with measuring("network and weights"):
                    classifier = build_planned(plan, len(table.class_names), runtime, network)
                    state = _load_state(folder, plan, classifier, table.class_names, processes)
            spent_seconds = 0.0 if state is None else state.progress.spent_seconds
            own = choose_listeners(job, messages, spent_seconds=spent_seconds)
            return carry_out(job, classifier, state, [*listeners, *own])


def _load_state(
    folder: RunFolder, plan: Plan, classifier: Classifier, class_names: Sequence[str], processes: Processes
) -> TrainingState | None:
    """Return where the training was left; None where it begins again, with the weights that the plan starts from."""
    if not has_state(folder.state):
        logger.info("no epoch was complete: starting from the first")
        load_start(plan, classifier, class_names)
        return None
    state = load_state(folder.state)
    state.check_processes(processes.count)
    logger.info("resumed after epoch %d", len(state.progress.rows))
    return state
