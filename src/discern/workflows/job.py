"""A training that is ready to begin: what it consists of, what is written before it, and who listens to it."""

import hashlib
import logging
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd

from discern.auditing.build import Audit
from discern.config.load import write_settings
from discern.config.settings import Settings
from discern.console import MessageLog
from discern.data.splitting.folds import Folds, save_folds
from discern.data.splitting.split import save_split
from discern.data.table import ImageTable
from discern.environment import Environment, save_environment
from discern.errors import Option, WriteError, write_python
from discern.files import compute_sha256, write_atomically, write_json
from discern.planning.plan import Plan, save_plan
from discern.run_folder import RunFolder
from discern.runtime import Runtime
from discern.tracking.following import build_trackers
from discern.training.custom import Custom
from discern.training.listeners import HistoryFile, Listener, LogLines, OverfittingWatch, OwnerWatch
from discern.training.progress import build_progress
from discern.training.progress_file import FinishRequest, ProgressFile
from discern.workflows.teacher import Teacher


@dataclass(frozen=True)
class Job:
    """A training that is ready to begin.

    `started` is the value of `time.monotonic()` at which its budget began; `teacher` is what it learns from beside the
    labels. Of a member of an ensemble, `whole` is the run in folds that it is a part of, and `pool` the pictures of all
    folds.
    """

    plan: Plan
    table: ImageTable
    environment: Environment
    folder: RunFolder
    runtime: Runtime
    custom: Custom
    started: float
    teacher: Teacher | None = None
    whole: RunFolder | None = None
    pool: ImageTable | None = None

    def name_resuming(self) -> Option:
        """Return what goes on with it, as the caller writes it."""
        root = str((self.whole or self.folder).root)
        return Option(f"discern train --resume --out {shlex.quote(root)}", f"discern.resume({write_python(root)})")


def begin_run(
    job: Job,
    asked: Settings,
    *,
    audit: Audit | None = None,
    leaks: pd.DataFrame | None = None,
    folds: Folds | None = None,
) -> None:
    """Create the folder of a new run, replacing an earlier run in it, and write what is known before training."""
    folder = job.folder
    folder.begin_run()
    save_environment(job.environment, folder.environment)
    save_split(job.table, folder.split, root=job.environment.data.root)
    if audit is not None:
        write_json(folder.audit, audit.content)
    if leaks is not None:
        write_atomically(folder.leaks, leaks.to_csv(index=False))
    settings = write_settings(asked).encode()
    sealed = {
        folder.split.name: compute_sha256(folder.split),
        folder.config.name: hashlib.sha256(settings).hexdigest(),
    }
    if folds is not None:
        save_folds(job.table, folds, folder.folds)
        sealed[folder.folds.name] = compute_sha256(folder.folds)
    save_plan(job.plan, folder.plan, sealed=sealed)
    write_atomically(folder.config, settings)


@contextmanager
def naming_resumption(job: Job) -> Iterator[None]:
    """Add to the error of a disk that is full, say, the command that goes on with the run, if it has begun."""
    try:
        yield
    except WriteError as error:
        if not job.folder.holds_run():
            raise
        way = job.name_resuming()
        raise error.followed_by(Option(f"go on with: {way.command}", f"go on with: {way.python}")) from error


def choose_listeners(job: Job, messages: MessageLog, *, spent_seconds: float = 0.0) -> list[Listener]:
    """Return the listeners that write the history and the log, and show the progress.

    `spent_seconds` are those of a run that is resumed.
    """
    folder, whole, budget = job.folder, job.whole or job.folder, job.plan.budget
    ends = None if budget is None else job.started + budget.seconds - spent_seconds
    fold = None if job.whole is None else int(folder.root.name)
    listeners: list[Listener] = [
        OwnerWatch(folder.root),
        *build_trackers(job.plan.training.trackers),  # before the history, which says to a resumed run what they have
        HistoryFile(folder.history),
        LogLines(job.plan.phases, level=logging.INFO if messages.notebook is None else logging.DEBUG),
        OverfittingWatch(),
        ProgressFile(whole.progress, job.plan.phases, ends=ends, fold=fold),
        FinishRequest(whole.finish_request),
    ]
    return [*listeners, *build_progress(messages, job.plan.phases)]
