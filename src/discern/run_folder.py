"""The run folder: the contract between the commands, as paths and a few rules."""

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
    """Where each file of a run lies."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings that were asked for; written last of all that is written before training."""
        return self.root / "config.toml"

    @property
    def plan(self) -> Path:
        """What was decided, with the reasons."""
        return self.root / "plan.json"

    @property
    def environment(self) -> Path:
        """Machine, versions, data and weights; its format marks the folder as a run."""
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
    def leaks(self) -> Path:
        """Held-out pictures that are in another split as well, if there are any."""
        return self.root / "leaks.csv"

    @property
    def audit(self) -> Path:
        """What was found in the pictures before training, unless that was switched off."""
        return self.root / "audit.json"

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
    def explanations(self) -> Path:
        """Which pixels decided, where asked for."""
        return self.root / "explanations"

    @property
    def report(self) -> Path:
        """The page with the results, for people."""
        return self.root / "report.html"

    @property
    def thumbnails(self) -> Path:
        """Small copies of the pictures in the report, so that it can be made again without the photos."""
        return self.root / "thumbnails"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard events, where asked for."""
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
        """Return whether a run of discern was begun here."""
        try:
            content = json.loads(self.environment.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(content, dict) and content.get("format") == RUN_FORMAT

    def is_complete(self) -> bool:
        """Return whether the run has ended well; the bundle's description is the last file but the state's end."""
        return (self.bundle / "bundle.json").is_file() and not any(self.state.glob("*.safetensors"))

    def begin_run(self) -> None:
        """Make the folder; an earlier run in it is removed, but for the list of bad files of the new one."""
        if self.holds_run():
            bad_files = self.bad_files.read_bytes() if self.bad_files.exists() else None
            self.clear()
            if bad_files is not None:
                write_atomically(self.bad_files, bad_files)
        self.root.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Remove the files of a run, and nothing else; what marks the folder as a run goes last."""
        for name in RUN_FOLDERS:
            if (self.root / name).exists():
                shutil.rmtree(self.root / name)
        for name in RUN_FILES:
            (self.root / name).unlink(missing_ok=True)
        self.environment.unlink(missing_ok=True)


def check_new_run(root: Path, *, overwrite: bool) -> RunFolder:
    """Return the folder for a new run, which is neither made nor changed yet.

    Raises:
        RunFolderError: It holds a run and `overwrite` is not given, it holds files that are not a run's but have their
            names, or it is a file.
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
        return folder
    strange = list(_find_run_names(folder))
    if strange:
        raise RunFolderError(
            f"{root} holds no run of discern, but files that a run would replace: {', '.join(strange)}; "
            "give another --out"
        )
    return folder


def open_interrupted_run(root: Path) -> RunFolder:
    """Return the folder of a run that was begun and not completed.

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
    """Raise when a run would be written into the folder of pictures, where the next training would find it.

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
        # Bad files are also listed for a training that they prevented.
        if name != folder.bad_files.name and (folder.root / name).exists():
            yield name
