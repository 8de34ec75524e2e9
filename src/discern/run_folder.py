"""The run folder: the contract between the commands, as paths and a few rules."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from discern.errors import RunFolderError

RUN_FILES = ("config.toml", "environment.json", "split.csv", "bad_files.csv", "history.csv", "log.txt")
RUN_FOLDERS = ("bundle", "state", "evaluation", "plots", "tensorboard")


@dataclass(frozen=True)
class RunFolder:
    """Where each file of a run lies."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings of the run, complete."""
        return self.root / "config.toml"

    @property
    def environment(self) -> Path:
        """Machine, versions, data and the outcome of every automatic choice."""
        return self.root / "environment.json"

    @property
    def split(self) -> Path:
        """Which picture is in which split."""
        return self.root / "split.csv"

    @property
    def bad_files(self) -> Path:
        """Pictures that cannot be used, if there were any."""
        return self.root / "bad_files.csv"

    @property
    def history(self) -> Path:
        """One row an epoch."""
        return self.root / "history.csv"

    @property
    def log(self) -> Path:
        """What was said during the run."""
        return self.root / "log.txt"

    @property
    def bundle(self) -> Path:
        """The classifier to use."""
        return self.root / "bundle"

    @property
    def state(self) -> Path:
        """Everything to resume; removed when the run is complete."""
        return self.root / "state"

    @property
    def evaluation(self) -> Path:
        """Metrics and predictions."""
        return self.root / "evaluation"

    @property
    def plots(self) -> Path:
        """Pictures of the results."""
        return self.root / "plots"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard events, where asked for."""
        return self.root / "tensorboard"

    def holds_run(self) -> bool:
        """Return whether a run was begun here."""
        return self.config.exists() or self.bundle.exists()


def start_run_folder(root: Path, *, overwrite: bool) -> RunFolder:
    """Make the folder for a new run; with `overwrite`, remove the files of an earlier run in it, and nothing else.

    Raises:
        RunFolderError: The folder holds a run, or is a file.
    """
    folder = RunFolder(root)
    if root.exists() and not root.is_dir():
        raise RunFolderError(f"{root} is a file; --out needs a folder")
    if folder.holds_run():
        if not overwrite:
            raise RunFolderError(
                f"{root} already holds a run; give another --out, or --resume to go on with it, or --overwrite to "
                "replace it"
            )
        _remove_run(folder)
    root.mkdir(parents=True, exist_ok=True)
    return folder


def open_interrupted_run(root: Path) -> RunFolder:
    """Return the folder of a run that was begun and not completed.

    Raises:
        RunFolderError: There is no run, or it is complete.
    """
    folder = RunFolder(root)
    if not folder.config.is_file():
        raise RunFolderError(f"{root} holds no run to resume; leave --resume out to start one")
    if folder.bundle.exists() and not folder.state.exists():
        raise RunFolderError(f"the run in {root} is complete; there is nothing to resume")
    return folder


def _remove_run(folder: RunFolder) -> None:
    for name in RUN_FOLDERS:
        shutil.rmtree(folder.root / name, ignore_errors=True)
    for name in RUN_FILES:
        (folder.root / name).unlink(missing_ok=True)
