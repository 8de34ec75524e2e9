"""The run folder, which all commands share: its paths, and the rules to start, resume and replace a run.

A run begins with environment.json, which says that the folder's files are ours, and exists from the moment that
config.toml is written, the last file before training. It is complete when its state is gone.
"""

import hashlib
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from discern.environment import RUN_FORMAT, load_environment
from discern.errors import OUT, OVERWRITE, Advice, Option, RunFolderError, name_some
from discern.files import find_free_folder, read_json, write_atomically

LABELS = "labels.csv"
"""The file that `discern label` writes."""
_NUMBERS = re.compile(r"\{[^{},]*\.\.[^{},]*\}|\[[^\]]*\]")
"""Numbers in a pattern of names: {000..009}, or [0-9]."""

_DONE = ".state-of-a-complete-run"

_RESUME = Option("--resume", "discern.resume")
_START = Option("leave --resume out to start one", "discern.train starts one")

RUN_FILES = (
    "config.toml",
    "plan.json",
    "split.csv",
    "folds.csv",
    "bad_files.csv",
    "leaks.csv",
    "audit.json",
    "history.csv",
    "log.txt",
    "tracking.json",
    "report.html",
    "signature.json",
    "progress.json",
    "finish",
)
RUN_FOLDERS = (
    "bundle",
    "state",
    "evaluation",
    "plots",
    "explanations",
    "thumbnails",
    "tensorboard",
    "wandb",
    "export",
    "folds",
)


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    root: Path

    @property
    def config(self) -> Path:
        """The settings of the user; a run exists from the moment that it is written, the last before training."""
        return self.root / "config.toml"

    @property
    def plan(self) -> Path:
        """The plan, with the reasons."""
        return self.root / "plan.json"

    @property
    def environment(self) -> Path:
        """Machine, versions, data and weights; its `format` says that the folder's files are those of a run."""
        return self.root / "environment.json"

    @property
    def split(self) -> Path:
        """The split of every picture."""
        return self.root / "split.csv"

    @property
    def folds(self) -> Path:
        """The fold of every picture, if it is a run in folds."""
        return self.root / "folds.csv"

    def fold(self, number: int) -> "RunFolder":
        """Return the run of one fold, from 1."""
        return RunFolder(self.root / "folds" / str(number))

    def find_whole(self) -> "RunFolder | None":
        """Return the run in folds that this one is a member of; None where it is a run of its own."""
        folds = self.root.absolute().parent
        whole = RunFolder(folds.parent)
        return whole if folds.name == "folds" and whole.is_ours() else None

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
    def progress(self) -> Path:
        """How far a training is; there only while it runs."""
        return self.root / "progress.json"

    @property
    def finish_request(self) -> Path:
        """A file that users make to end a training after its epoch, with what is best so far."""
        return self.root / "finish"

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
    def tracking(self) -> Path:
        """Under which identities trackers know the run, if it has any."""
        return self.root / "tracking.json"

    @property
    def export(self) -> Path:
        """The classifier as one file for other runtimes, with its certificate."""
        return self.root / "export"

    def thumbnail(self, picture_id: str, part: str = "") -> Path:
        """Return the path of the small copy of a picture, or of one of its maps: "predicted" or "true"."""
        name = hashlib.sha256(picture_id.encode()).hexdigest()[:20]
        return self.thumbnails / (f"{name}-{part}.jpg" if part else f"{name}.jpg")

    def is_ours(self) -> bool:
        """Return whether the folder's files are those of a run, one that exists or one that never began."""
        try:
            content = read_json(self.environment)
        except (OSError, ValueError):
            return False
        return isinstance(content, dict) and content.get("format") == RUN_FORMAT

    def read_data_root(self) -> Path:
        """Return the folder that the paths in split.csv start from: the working folder for runs that have none."""
        try:
            return Path(load_environment(self.environment).data.root or "")
        except RunFolderError:
            return Path()

    def holds_run(self) -> bool:
        """Return whether the folder has a run of discern, complete or not."""
        return self.config.is_file() and self.is_ours()

    def is_complete(self) -> bool:
        """Return whether the run is complete: it has a bundle, and no state any more."""
        return (self.bundle / "bundle.json").is_file() and not any(self.state.glob("*.safetensors"))

    def complete_run(self) -> None:
        """Remove the state, all at once, after everything else is written."""
        self.finish_request.unlink(missing_ok=True)
        if self.state.exists():
            done = self.root / _DONE
            shutil.rmtree(done, ignore_errors=True)
            self.state.rename(done)
            shutil.rmtree(done, ignore_errors=True)

    def begin_run(self) -> None:
        """Create the folder and remove an earlier run in it, except the list of bad files, which is of the new run."""
        if self.is_ours():
            bad_files = self.bad_files.read_bytes() if self.bad_files.exists() else None
            self.clear()
            if bad_files is not None:
                write_atomically(self.bad_files, bad_files)
        self.root.mkdir(parents=True, exist_ok=True)

    def clear(self) -> None:
        """Remove the files of a run and nothing else; the file without which there is no run goes first.

        The one that says that the others are ours goes last, so that a kill leaves a folder in which a run can begin.
        """
        for name in RUN_FILES:
            (self.root / name).unlink(missing_ok=True)
        for name in (*RUN_FOLDERS, _DONE):
            if (self.root / name).exists():
                shutil.rmtree(self.root / name)
        for left in self.root.glob(".*.tmp"):  # by a process that was killed while it wrote
            left.unlink(missing_ok=True)
        self.environment.unlink(missing_ok=True)


def find_run_around(place: Path) -> RunFolder:
    """Return the run that a file or a folder belongs to, such as its evaluation; the place itself where it has none."""
    above = (place.absolute(), *place.absolute().parents)
    return next((run for run in map(RunFolder, above) if run.is_ours()), RunFolder(place))


def check_new_run(folder: RunFolder, *, overwrite: bool) -> None:
    """Check that a new run may begin in a folder, which may hold what is left of a run that never began.

    Raises:
        RunFolderError: The folder has a run and `overwrite` is false, or other files with names that a run uses.
    """
    root = folder.root
    if folder.holds_run():
        if not overwrite:
            state: Advice = () if folder.is_complete() else (_RESUME, " to continue it, ")
            raise RunFolderError(
                f"{root} already holds a run; give another ", OUT, ", ", *state, "or ", OVERWRITE, " to replace it"
            )
        return
    strange = [] if folder.is_ours() else list(_find_run_names(folder))
    if strange:
        raise RunFolderError(
            f"{root} holds no run of discern, but files that a run would replace: {name_some(strange)}; give another ",
            OUT,
        )


def check_interrupted_run(folder: RunFolder) -> None:
    """Check that a folder has a run that was started and is not complete.

    Raises:
        RunFolderError: There is no run, or it is complete.
    """
    if not folder.holds_run():
        why = "only what is left of one that ended before it began" if folder.is_ours() else "no run to resume"
        raise RunFolderError(f"{folder.root} holds {why}; ", _START)
    if folder.is_complete():
        report = f"; discern report {shlex.quote(str(folder.root))} writes its report, which is missing"
        raise RunFolderError(
            f"the run in {folder.root} is complete; there is nothing to resume"
            f"{'' if folder.report.is_file() else report}"
        )


def check_outside_data(folder: RunFolder, source: object) -> None:
    """Check that a run is not written into the folder of pictures, where the next training would find it.

    Raises:
        RunFolderError: `folder` is the folder of pictures, or inside it.
    """
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return
    data, out = Path(source).resolve(), folder.root.resolve()
    if out == data or data in out.parents:
        raise RunFolderError(
            f"{folder.root} is inside the folder of pictures {source}; give an ", OUT, " outside of it"
        )


def name_new_run(source: object) -> Path:
    """Return a folder in runs/ that does not exist yet, named after the source of the pictures."""
    return find_free_folder(Path("runs"), name_source(source) or "run")


def name_source(source: object) -> str | None:
    """Return the name of the file or folder that pictures come from, without extension; None for pictures in memory.

    For labels.csv it is that of its folder, which `discern label` names after the pictures. Of a pattern it is what is
    not numbers: "train" for `shards/train-{000..009}.tar`, and "shards" for `shards/*.tar`.
    """
    if not isinstance(source, str | Path):
        return None
    path = Path(source).resolve()
    if path.name == LABELS:
        return path.parent.name
    name = path.stem.removesuffix(".tar")
    if set("{*") & set(str(path)) and not path.exists():
        folders = (above.name for above in path.parents)
        return next(filter(None, map(_read_pattern, (name, *folders))), None)
    return name


def _read_pattern(name: str) -> str:
    """Return what a pattern means in words: without numbers and wildcards, and with all that stands in braces."""
    return re.sub(r"\W+", "-", _NUMBERS.sub("", name)).strip("-_")


def _find_run_names(folder: RunFolder) -> Iterator[str]:
    for name in (*RUN_FILES, *RUN_FOLDERS, folder.environment.name):
        # The list of bad files is also written when they prevent a training.
        if name != folder.bad_files.name and (folder.root / name).exists():
            yield name
