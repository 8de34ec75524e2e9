"""The run folder, which all commands share: its paths, and the rules to start, resume and replace a run."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from discern.environment import RUN_FORMAT
from discern.errors import RunFolderError
from discern.files import find_free_folder, write_atomically

RUN_FILES = (
    "config.toml",
    "plan.json",
    "split.csv",
    "bad_files.csv",
    "leaks.csv",
    "audit.json",
    "history.csv",
    "log.txt",
    "report.html",
)
RUN_FOLDERS = ("bundle", "state", "evaluation", "plots", "explanations", "thumbnails", "tensorboard", "export")


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings of the user; the last file to be written before training."""
        return self.root / "config.toml"

    @property
    def plan(self) -> Path:
        """The plan, with the reasons."""
        return self.root / "plan.json"

    @property
    def environment(self) -> Path:
        """Machine, versions, data and weights; its `format` marks the folder as a run."""
        return self.root / "environment.json"

    @property
    def split(self) -> Path:
        """The split of every picture."""
        return self.root / "split.csv"

    @property
    def bad_files(self) -> Path:
        """Pictures that cannot be used, if there were any."""
        return self.root / "bad_files.csv"

    @property
    def leaks(self) -> Path:
        """Held-out pictures with a copy in another split, if there are any."""
        return self.root / "leaks.csv"

    @property
    def audit(self) -> Path:
        """The findings in the pictures before training, unless switched off."""
        return self.root / "audit.json"

    @property
    def history(self) -> Path:
        """One row per epoch."""
        return self.root / "history.csv"

    @property
    def log(self) -> Path:
        """The log of the run."""
        return self.root / "log.txt"

    @property
    def bundle(self) -> Path:
        """The trained classifier."""
        return self.root / "bundle"

    @property
    def state(self) -> Path:
        """Everything needed to resume; removed when the run is complete."""
        return self.root / "state"

    @property
    def evaluation(self) -> Path:
        """Metrics and predictions."""
        return self.root / "evaluation"

    @property
    def plots(self) -> Path:
        """Figures of the results."""
        return self.root / "plots"

    @property
    def explanations(self) -> Path:
        """Figures of the pixels that decided, if asked for."""
        return self.root / "explanations"

    @property
    def report(self) -> Path:
        """The page with the results."""
        return self.root / "report.html"

    @property
    def thumbnails(self) -> Path:
        """Small copies of the pictures in the report, so that it can be written again without the photos."""
        return self.root / "thumbnails"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard events, if asked for."""
        return self.root / "tensorboard"

    @property
    def export(self) -> Path:
        """The classifier as one file for other runtimes, with its certificate."""
        return self.root / "export"

    def thumbnail(self, picture_id: str, part: str = "") -> Path:
        """Return the path of the small copy of a picture, or of one of its maps: "predicted" or "true"."""
        name = hashlib.sha256(picture_id.encode()).hexdigest()[:20]
        return self.thumbnails / (f"{name}-{part}.jpg" if part else f"{name}.jpg")

    def holds_run(self) -> bool:
        """Return whether the folder has a run of discern, complete or not."""
        try:
            content = json.loads(self.environment.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(content, dict) and content.get("format") == RUN_FORMAT

    def is_complete(self) -> bool:
        """Return whether the run is complete: it has a bundle, and no state any more."""
        return (self.bundle / "bundle.json").is_file() and not any(self.state.glob("*.safetensors"))

    def begin_run(self) -> None:
        """Create the folder and remove an earlier run in it, except the list of bad files, which is of the new run."""
        if self.holds_run():
            bad_files = self.bad_files.read_bytes() if self.bad_files.exists() else None
            self.clear()
            if bad_files is not None:
                write_atomically(self.bad_files, bad_files)
        self.root.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Remove the files of a run and nothing else; the file that marks the folder as a run goes last."""
        for name in RUN_FOLDERS:
            if (self.root / name).exists():
                shutil.rmtree(self.root / name)
        for name in RUN_FILES:
            (self.root / name).unlink(missing_ok=True)
        self.environment.unlink(missing_ok=True)


def check_new_run(root: Path, *, overwrite: bool) -> RunFolder:
    """Return the folder for a new run, without creating or changing it.

    Raises:
        RunFolderError: The folder has a run and `overwrite` is false, it has other files with names that a run uses, or
            it is a file.
    """
    folder = RunFolder(root)
    if root.exists() and not root.is_dir():
        raise RunFolderError(f"{root} is a file; --out needs a folder")
    if folder.holds_run():
        if not overwrite:
            raise RunFolderError(
                f"{root} already holds a run; give another --out, --resume to continue it, or --overwrite to replace it"
            )
        return folder
    strange = list(_find_run_names(folder))
    if strange:
        raise RunFolderError(
            f"{root} holds no run of discern, but files that a run would replace: {', '.join(strange)}; "
            "give another --out"
        )
    return folder


def open_interrupted_run(root: Path) -> RunFolder:
    """Return the folder of a run that was started and is not complete.

    Raises:
        RunFolderError: There is no run, or it is complete.
    """
    folder = RunFolder(root)
    if not folder.holds_run() or not folder.config.is_file():
        raise RunFolderError(f"{root} holds no run to resume; leave --resume out to start one")
    if folder.is_complete():
        raise RunFolderError(f"the run in {root} is complete; there is nothing to resume")
    return folder


def check_outside_data(folder: RunFolder, source: object) -> None:
    """Check that a run is not written into the folder of pictures, where the next training would find it.

    Raises:
        RunFolderError: `folder` is the folder of pictures, or inside it.
    """
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return
    data, out = Path(source).resolve(), folder.root.resolve()
    if out == data or data in out.parents:
        raise RunFolderError(f"{folder.root} is inside the folder of pictures {source}; give an --out outside of it")


def name_new_run(source: object) -> Path:
    """Return a folder in runs/ that does not exist yet, named after the source of the pictures."""
    name = Path(source).resolve().stem if isinstance(source, str | Path) else "run"
    return find_free_folder(Path("runs"), name)


def _find_run_names(folder: RunFolder) -> Iterator[str]:
    for name in (*RUN_FILES, *RUN_FOLDERS, folder.environment.name):
        # The list of bad files is also written when they prevent a training.
        if name != folder.bad_files.name and (folder.root / name).exists():
            yield name
