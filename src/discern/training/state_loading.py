"""Loads the state of an interrupted training, and says what is wrong with one that cannot be used."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from discern.errors import OVERWRITE, RunFolderError, one_line
from discern.training.state import (
    STATE_FILE,
    STATE_VERSION,
    FrozenWeights,
    Progress,
    TrainingState,
    compute_checksum,
)


def has_state(folder: Path) -> bool:
    """Return whether `folder` has the state of at least one epoch."""
    return (folder / STATE_FILE).is_file()


def load_state(folder: Path) -> TrainingState:
    """Load the state that an interrupted training left in `folder`.

    Raises:
        RunFolderError: It is damaged, or another version of the program wrote it.
    """
    path = folder / STATE_FILE
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        content = json.loads(metadata["progress"])
        _check_version(content, path)
        if metadata.get("checksum") != compute_checksum(tensors, metadata["progress"]):
            raise _refuse_changed(path)
        state = TrainingState(Progress.model_validate(content))
        state.tensors = tensors
        if state.progress.frozen is not None:
            state.frozen = _load_frozen(state.progress, folder)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        reason = one_line(error)
        raise RunFolderError(f"{path} is damaged ({reason}); start again with ", OVERWRITE) from None
    return state


def _load_frozen(progress: Progress, folder: Path) -> FrozenWeights:
    name = FrozenWeights(progress.phase_index, {}).name
    frozen = FrozenWeights(progress.phase_index, load_file(folder / name))
    if progress.frozen != name or frozen.checksum != progress.frozen_checksum:
        raise _refuse_changed(folder / name)
    return frozen


def _check_version(content: object, path: Path) -> None:
    if not isinstance(content, Mapping):
        raise ValueError("it has no progress of a training")
    if content.get("version") != STATE_VERSION:
        raise RunFolderError(
            f"{path} has format {str(content.get('version'))[:20]}, and this version of discern reads {STATE_VERSION}; "
            "finish the run with the version that started it, or start again with ",
            OVERWRITE,
        )


def _refuse_changed(path: Path) -> RunFolderError:
    return RunFolderError(
        f"{path} was changed after it was saved, or is damaged: its checksum is not that of its content; restore it, "
        "or start again with ",
        OVERWRITE,
    )


@contextmanager
def restoring(folder: Path | None) -> Iterator[None]:
    """Explain errors that come from a state which does not fit the network or the plan.

    Raises:
        RunFolderError: It does not.
    """
    try:
        yield
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        place = STATE_FILE if folder is None else folder / STATE_FILE
        reason = one_line(error)
        raise RunFolderError(
            f"{place} does not fit the plan of its run ({reason}); start again with ", OVERWRITE
        ) from error
