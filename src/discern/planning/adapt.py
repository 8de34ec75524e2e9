"""Adapts the plan of an interrupted run to the machine that resumes it; what affects the result may not change."""

from dataclasses import replace
from typing import Any

from discern.config.describe import flatten_settings
from discern.config.settings import Settings
from discern.data.reading.loaders import choose_workers
from discern.errors import OUT, RunFolderError
from discern.planning.plan import Plan
from discern.processes import Processes
from discern.runtime import Runtime, choose_runtime

_CHANGEABLE = (
    "run.device",
    "run.threads",
    "data.workers",
    "data.cache",
    "cache.folder",
    "cache.limit_gigabytes",
    "training.trackers",
)
"""Settings that may differ when a run is resumed."""


def check_same_settings(wanted: Settings, original: Settings, folder: object) -> None:
    """Check that a run is resumed with the settings that it was started with.

    Raises:
        RunFolderError: A setting differs that the result depends on.
    """
    old, new = flatten_settings(original.to_dict()), flatten_settings(wanted.to_dict())
    names = [name for name in sorted(old | new) if old.get(name) != new.get(name)]
    names = [name for name in names if name not in _CHANGEABLE and not name.startswith("recipe.")]
    if names:
        changes = "; ".join(f"{name} was {old.get(name)} and is now {new.get(name)}" for name in names)
        raise RunFolderError(
            f"the run in {folder} was started with other settings: {changes}. "
            "Resume with the same ones (or none), or start a new run with another ",
            OUT,
        )


def choose_resumed_runtime(plan: Plan, wanted: Settings, original: Settings, processes: Processes) -> Runtime:
    """Return the runtime of the plan, with the device and the threads that are wanted now if they were changed."""
    same_device = wanted.run.device == original.run.device
    same_threads = wanted.run.threads == original.run.threads
    runtime = choose_runtime(
        device=plan.machine.device if same_device else wanted.run.device,
        precision=plan.machine.precision,
        threads=plan.machine.threads if same_threads else wanted.run.threads,
        determinism=plan.machine.determinism,
        acceleration="auto" if plan.machine.accelerates else "off",
        processes=processes,
    )
    as_planned = {"device": same_device, "precision": True, "threads": same_threads}
    reasons = {name: "as planned" if as_planned[name] else reason for name, reason in runtime.reasons.items()}
    return replace(runtime, reasons=reasons)


def adapt_plan(plan: Plan, wanted: Settings, original: Settings, runtime: Runtime) -> Plan:
    """Return the plan for the machine that resumes it, with changed workers, caches and trackers applied."""
    reading: dict[str, Any] = {}
    if wanted.data.workers != original.data.workers:
        images = plan.training.max_images or plan.training.batch_size * 100
        ranks = runtime.processes.local_count
        reading["workers"] = choose_workers(wanted.data.workers, images, runtime.device.type, num_ranks=ranks)
    if wanted.cache.folder is not None:
        reading["folder"] = wanted.cache.folder
    reading["limit_gigabytes"] = wanted.cache.limit_gigabytes
    phases = plan.phases
    if wanted.data.cache not in (original.data.cache, "auto"):
        phases = tuple(phase.model_copy(update={"picture_cache": wanted.data.cache}) for phase in phases)
    machine = {"device": str(runtime.device), "threads": runtime.threads}
    return plan.model_copy(
        update={
            "training": plan.training.model_copy(update={"trackers": wanted.training.trackers}),
            "reading": plan.reading.model_copy(update=reading),
            "phases": phases,
            "machine": plan.machine.model_copy(update=machine),
        }
    )
