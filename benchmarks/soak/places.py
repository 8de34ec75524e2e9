"""Writes where that does not work: a full disk, one that is read-only, another user's folder, one that goes away."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.soak.campaign import Round
from benchmarks.soak.commands import become_stranger, give_to_stranger, limit_files
from benchmarks.soak.kills import read_run
from benchmarks.soak.sound import EPOCHS, SETTINGS, Sound

_MEGABYTE = 2**20
_FULL_MEGABYTES = (0.3, 24)
"""Sizes of the full disk: nothing fits on the smallest, nearly everything on the largest."""
_TRAINING = ("--recipe", "table", *SETTINGS, *EPOCHS)


def write_in_bad_place(sound: Sound, rng: random.Random, work: Path) -> Round:
    """Let one command write into one bad place; it must say so in a line, and the sound files must stay."""
    place = rng.choice(list(_PLACES))
    verb = rng.choice(("train", "train", "predict", "export", "report", "evaluate", "explain", "compare", "tune"))
    round_ = Round()
    round_.counts[place] += 1
    round_.failures += [f"{place}: {fault}" for fault in _PLACES[place](sound, rng, work, verb)]
    if not sound.answers.is_file() or not (sound.run / "report.html").is_file():
        raise SystemExit(f"{place} with discern {verb} damaged the sound run: the campaign cannot go on")
    return round_


def _fill_disk(sound: Sound, rng: random.Random, work: Path, verb: str) -> list[str]:
    size_bytes = int(_MEGABYTE * 10 ** rng.uniform(-0.5, 1.4))
    with _mounted(work / "disk", f"size={size_bytes}") as disk:
        words, faults = _build_words(sound, disk or work, verb), []
        if disk is None:
            return sound.call(*words, limit=limit_files(size_bytes)).find_faults()
        done = sound.call(*words)
        faults += done.find_faults()
        if verb == "train" and done.code:
            _run("mount", "-o", f"remount,size={2**30}", str(disk))
            faults += _train_on(sound, disk, words)
        return faults


def _train_on(sound: Sound, disk: Path, words: Sequence[object]) -> list[str]:
    """Go on when there is room again: the run must end like one that was never stopped."""
    done = sound.call(*words, "--resume")
    if done.code == 2 and "leave --resume out" in done.err:
        done = sound.call(*words)
    faults = done.find_faults(allowed=(0,))
    found, expected = read_run(disk / "run"), read_run(sound.run)
    names = [name for name in expected if name.endswith(".safetensors") and found.get(name) != expected[name]]
    return faults + ([f"trained on after a full disk, other than uninterrupted: {', '.join(names)}"] if names else [])


def _make_read_only(sound: Sound, _: random.Random, work: Path, verb: str) -> list[str]:
    with _mounted(work / "disk", "size=64m") as disk:
        if disk is None:
            return []
        words = _build_words(sound, disk, verb)
        _run("mount", "-o", "remount,ro", str(disk))
        return sound.call(*words).find_faults((2,))


def _be_another_user(sound: Sound, rng: random.Random, work: Path, verb: str) -> list[str]:
    """Write as `nobody` into a folder of ours; or, now and then, into one of their own, which must work."""
    if os.geteuid() != 0:
        return []
    home, folder = work / "home", work / "out"
    for made in (home, folder):
        made.mkdir()
    work.chmod(0o755)
    sound.folder.chmod(0o755)
    words = _build_words(sound, folder, verb)
    is_own = rng.random() < 0.3
    for given in (home, folder) if is_own else (home,):
        give_to_stranger(given)
    # The output is written by the new user.
    done = sound.call(*words, home=home, limit=become_stranger)
    return done.find_faults((0,) if is_own else (2,))


def _delete_folder(sound: Sound, rng: random.Random, work: Path, verb: str) -> list[str]:
    """Take a folder away while a command uses it: where it writes, its pictures, or its caches."""
    photos, home, out = work / "photos", work / "home", work / "out"
    shutil.copytree(sound.photos, photos)
    shutil.copytree(sound.home, home, dirs_exist_ok=True)
    out.mkdir()
    words = [photos if word == sound.photos else word for word in _build_words(sound, out, verb)]
    command = sound.start(*words, home=home)
    deadline = time.monotonic() + rng.uniform(0, 6)
    while time.monotonic() < deadline and command.is_running():
        time.sleep(0.01)
    shutil.rmtree(rng.choice((out, photos, home)), ignore_errors=True)
    return command.wait().find_faults()


_PLACES: dict[str, Callable[[Sound, random.Random, Path, str], list[str]]] = {
    "full disk": _fill_disk,
    "read-only": _make_read_only,
    "another user": _be_another_user,
    "deleted folder": _delete_folder,
}


def _build_words(sound: Sound, folder: Path, verb: str) -> list[object]:
    """Return a command that writes into a folder; what reads a run gets a copy of it there, as far as it fits."""
    match verb:
        case "train":
            return ["train", sound.photos, "--out", folder / "run", *_TRAINING]
        case "predict":
            return ["predict", sound.run, sound.asked, "--out", folder / "answers.csv", "--probabilities"]
        case "export":
            return ["export", sound.run, "--out", folder / "model.onnx"]
        case "compare":
            recipes = ["--recipes", "table", "--vary", "learning_rate=1e-3,1e-4", "--seeds", "1"]
            return ["compare", sound.photos, "--out", folder / "comparison", *recipes, *SETTINGS, "epochs=1"]
        case "tune":
            return ["tune", sound.photos, "--out", folder / "search", "--trials", "1", *_TRAINING]
    run = folder / "copy"
    try:
        shutil.copytree(sound.run, run)
    except (shutil.Error, OSError):
        return ["predict", sound.run, sound.asked, "--out", folder / "answers.csv"]
    more: dict[str, list[object]] = {
        "evaluate": [sound.photos, "--out", folder / "evaluated"],
        "explain": [sound.list_asked()[0]],
    }
    return [verb, run, *more.get(verb, [])]


@contextmanager
def _mounted(folder: Path, options: str) -> Iterator[Path | None]:
    """Mount a disk in memory, or yield None where that is not allowed."""
    folder.mkdir()
    if not _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)):
        yield None
        return
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603
