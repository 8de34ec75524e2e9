"""What the campaign damages copies of: pictures, a run, its answers, and what uninterrupted commands give."""

import hashlib
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from benchmarks.soak.commands import Command, Done, Job, Limit
from discern.errors import DiscernError

SETTINGS = (
    "model.backbone=resnet18-half",
    "model.weights=none",
    "data.image_size=32",
    "training.batch_size=4",
    "run.threads=1",
    "run.determinism=true",
)
"""A small network on small pictures: what is tried here is not how well it learns."""
EPOCHS = ("training.phases.*.epochs=4",)
_COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}
_PER_CLASS = 16
ASKED_PER_CLASS = 3


class UndisturbedError(Exception):
    """A command failed that nothing had disturbed: there is nothing to compare with."""

    def __init__(self, done: Done) -> None:
        super().__init__(f"discern {' '.join(done.words)} ended with {done.code}, undisturbed:\n{done.out}{done.err}")


@dataclass(frozen=True)
class Sound:
    """A folder with labelled pictures, pictures to ask about, a run, and a folder of caches.

    `scale` is the share of a whole round that each round does.
    """

    folder: Path
    scale: float = 1.0

    def count(self, whole: int) -> int:
        """Return how many of a round's parts to do: all, or a small share, at least one."""
        return max(1, round(self.scale * whole))

    @property
    def photos(self) -> Path:
        """Class folders to train on."""
        return self.folder / "photos"

    @property
    def asked(self) -> Path:
        """A folder of pictures to predict."""
        return self.folder / "asked"

    @property
    def run(self) -> Path:
        """A complete run on `photos`."""
        return self.folder / "run"

    @property
    def answers(self) -> Path:
        """The answers of the run to `asked`, as a CSV."""
        return self.folder / "answers.csv"

    @property
    def home(self) -> Path:
        """The DISCERN_HOME of commands that may share caches."""
        return self.folder / "home"

    def call(self, *words: object, home: Path | None = None, limit: Limit | None = None) -> Done:
        """Run a command to its end."""
        return self.start(*words, home=home, limit=limit).wait()

    def call_undisturbed(self, *words: object, home: Path | None = None) -> None:
        """Run a command that must succeed, since nothing disturbs it.

        Raises:
            UndisturbedError: It failed.
        """
        done = self.call(*words, home=home)
        if done.code:
            raise UndisturbedError(done)

    def start(self, *words: object, home: Path | None = None, limit: Limit | None = None) -> Command:
        """Start a command; its output goes to files in `folder`."""
        return Command([str(word) for word in words], self.folder, home or self.home, limit)

    def call_python(self, job: Job, *, limit: Limit | None = None) -> Done:
        """Call a function in a process of its own; an error that a user can correct ends it with 2, as a command."""

        def run() -> None:
            try:
                job()
            except DiscernError as error:
                print(f"discern: {error}", file=sys.stderr)
                raise SystemExit(2) from None

        return Command(["in", "Python"], self.folder, self.home, limit, run).wait()

    def list_asked(self) -> list[Path]:
        """Return the pictures to predict."""
        return sorted(self.asked.iterdir())

    def read_answers(self) -> pd.DataFrame:
        """Return the sound answers by the name of the file."""
        return read_answers(self.answers)


def prepare_sound(folder: Path, scale: float = 1.0) -> Sound:
    """Draw the pictures and train the run."""
    sound = Sound(folder, scale)
    _draw(sound.photos, _PER_CLASS, first_seed=0)
    drawn = _draw(folder / "drawn", ASKED_PER_CLASS, first_seed=10_000)
    sound.asked.mkdir()
    for path in sorted(drawn.rglob("*.png")):
        shutil.move(path, sound.asked / f"{path.parent.name}-{path.name}")
    sound.call_undisturbed("train", sound.photos, "--out", sound.run, "--recipe", "table", *SETTINGS, *EPOCHS)
    sound.call_undisturbed("predict", sound.run, sound.asked, "--out", sound.answers)
    return sound


def read_answers(path: Path) -> pd.DataFrame:
    """Return a CSV of answers by the name of the file."""
    frame = pd.read_csv(path, dtype={"label": "str"})
    return frame.set_index(frame["path"].map(lambda name: Path(name).name))


def find_other_answers(found: pd.DataFrame, expected: pd.DataFrame, tolerance: float = 1e-4) -> list[str]:
    """Return how answers differ from those expected of the same files, each of which must have one row."""
    faults = []
    for name, row in expected.iterrows():
        rows = found[found.index == name]
        if len(rows) != 1:
            faults.append(f"{name} has {len(rows)} rows")
            continue
        answer = rows.iloc[0]
        if answer["label"] != row["label"] or not abs(answer["confidence"] - row["confidence"]) <= tolerance:
            given, wanted = (f"{one['label']} {one['confidence']:.4f}" for one in (answer, row))
            faults.append(f"{name} is {given} instead of {wanted}")
    return faults


def checksum_files(folder: Path, patterns: Iterable[str]) -> dict[str, str]:
    """Return a checksum of each file that matches a pattern, by its path in the folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in patterns
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    }


def find_differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """Return the names that only one has, or that differ."""
    names = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    return [f"other than uninterrupted: {', '.join(names)}"] if names else []


def _draw(folder: Path, per_class: int, *, first_seed: int) -> Path:
    for place, (name, colour) in enumerate(_COLOURS.items()):
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            rng = np.random.default_rng(first_seed + 1000 * place + number)
            image = Image.fromarray(rng.integers(90, 160, (40, 40, 3), dtype=np.uint8))
            left, top = rng.integers(0, 20, 2).tolist()
            ImageDraw.Draw(image).ellipse((left, top, left + 20, top + 20), fill=colour)
            image.save(folder / name / f"{number}.png")
    return folder
