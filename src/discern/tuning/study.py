"""The study that records all trials, in a database that several processes and machines can share."""

import errno
import importlib.util
import logging
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from discern.errors import ConfigError, WriteError, install_command, one_line
from discern.files import explain_write_error

if TYPE_CHECKING:
    from optuna import Study

_FIRST_RANDOM_TRIALS = 8
_UNPRUNED_TRIALS = 4
_HEARTBEAT_SECONDS = 15
_OPENINGS = "openings"


def open_study(name: str, storage: str | None, folder: Path, *, seed: int) -> "Study":
    """Open the study of this name, or create it; it maximises the scores of its trials.

    Trials are proposed by the tree-structured Parzen estimator (Bergstra et al., 2011); those below the median of the
    others at the same epoch end early.

    Args:
        name: Name of the study in its database.
        storage: URL of a database; by default study.db in the folder.
        folder: Folder of study.db.
        seed: Seed of the proposals when the study is opened for the first time; it is one higher each time after that.

    Raises:
        ConfigError: Optuna is not installed, or the database cannot be opened.
        WriteError: The disk of the database is full.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError(f"tuning needs the package optuna: {install_command('tune')}")
    import optuna

    # A failed trial is logged by us, in one line; Optuna would add its traceback.
    optuna.logging.set_verbosity(logging.ERROR)
    url = _name_database(storage, folder)
    try:
        with warnings.catch_warnings():
            # Optuna calls the heartbeat experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study = optuna.create_study(
                study_name=name,
                storage=optuna.storages.RDBStorage(url, heartbeat_interval=_HEARTBEAT_SECONDS),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED_TRIALS, n_warmup_steps=1),
                direction="maximize",
                load_if_exists=True,
            )
            seed = (seed + _count_opening(study)) % 2**32
    except Exception as error:  # whatever a database driver raises
        if _is_disk_full(error):
            raise _explain_full_disk(url) from error
        raise ConfigError(f"the database {url} cannot be used: {one_line(error)}") from None
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_FIRST_RANDOM_TRIALS)
    return study


@contextmanager
def recording(folder: Path, storage: str | None) -> Iterator[None]:
    """Explain errors of the database of `open_study` while trials are recorded, for instance on a full disk.

    Raises:
        WriteError: The database cannot be written.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except AssertionError as error:  # Optuna does not find the trial that it began
        raise WriteError(folder, "the database of the search was removed or damaged meanwhile", "Mend this") from error
    except (StorageInternalError, SQLAlchemyError) as error:
        if _is_disk_full(error):
            raise _explain_full_disk(_name_database(storage, folder)) from error
        cause = str(error.__cause__ or error).splitlines()[0]
        raise WriteError(folder, f"the database of the search fails ({cause})", "Mend this") from error


def _name_database(storage: str | None, folder: Path) -> str:
    return storage or f"sqlite:///{(folder / 'study.db').resolve()}"


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether SQLite gives a full disk as the cause, which SQLAlchemy and Optuna wrap in errors of their own."""
    while error is not None:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__
    return False


def _explain_full_disk(url: str) -> WriteError:
    from sqlalchemy import make_url

    return explain_write_error(OSError(errno.ENOSPC, "full"), Path(make_url(url).database or url))


def _count_opening(study: "Study") -> int:
    """Return how often a study was opened before; with the same seed every time, it would propose the same trials."""
    openings = int(study.user_attrs.get(_OPENINGS, 0))
    study.set_user_attr(_OPENINGS, openings + 1)
    return openings


def end_killed_trials(study: "Study", *, is_alone: bool) -> None:
    """Mark trials whose process was killed as failed.

    Args:
        study: The study.
        is_alone: No other process searches, so that no trial can be running; otherwise only those count as killed that
            have recorded no heartbeat for a while.
    """
    import optuna

    if is_alone:
        for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def tabulate_trials(study: "Study") -> pd.DataFrame:
    """Return one row per trial: number, state, value (if complete), seconds and a column for each setting."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        seconds = trial.duration.total_seconds() if trial.duration is not None else None
        state = trial.state.name.lower()
        # The value of a trial that ended early cannot be compared with those of complete ones.
        value = trial.value if state == "complete" else None
        row = {"number": trial.number, "state": state, "value": value, "seconds": seconds}
        rows.append({**row, **trial.params, "error": trial.user_attrs.get("error", "")})
    return pd.DataFrame(rows)


def measure_importance(study: "Study") -> dict[str, float]:
    """Return the share, 0..1, of the differences between trials that each setting explains; empty below 5 trials.

    Source: Watanabe et al., "PED-ANOVA", 2023, https://arxiv.org/abs/2304.10255.
    """
    import optuna

    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len(complete) < 5 or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(study, evaluator=evaluator)
