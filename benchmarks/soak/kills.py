"""Kills a command at a random moment, goes on as a user would, and compares with the uninterrupted one bit for bit."""

import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks.soak.campaign import Round
from benchmarks.soak.commands import KILLED, Command
from benchmarks.soak.server import kill_server
from benchmarks.soak.sound import EPOCHS, SETTINGS, Sound, checksum_files, find_differences

_TRAINING = ("--recipe", "table", *SETTINGS)
_BRIEF = ("training.phases.*.epochs=2",)
_COMPARED = ("--recipes", "table", "--vary", "learning_rate=1e-3,1e-4", "--seeds", "1")
_MEASURED = ["seconds", "images_per_second", "peak_bytes", "seconds_per_run", "peak_gigabytes"]
"""Columns that differ between equal runs."""
_MAX_KILLS = 3


class Verb(NamedTuple):
    """A command that writes into a folder, the same for going on, and what must be equal in the end."""

    words: Callable[[Sound, Path], list[object]]
    read: Callable[[Path], dict[str, str]]
    more_to_resume: tuple[str, ...] = ()


class Whole(NamedTuple):
    """What the uninterrupted command took and gave."""

    seconds: float
    results: dict[str, str]


def read_run(run: Path) -> dict[str, str]:
    """Return what must be equal in two runs of the same training, and whether all is there that a run ends with."""
    results = checksum_files(run, ["bundle/*.safetensors", "bundle/*.csv", "evaluation/*", "split.csv"])
    results["history.csv"] = _read_table(run / "history.csv")
    for name in ("report.html", "plots", "bundle/bundle.json", "log.txt"):
        results[f"{name} exists"] = str((run / name).exists())
    results["state is left"] = str((run / "state").exists())
    return results


def _read_search(folder: Path) -> dict[str, str]:
    """A search that goes on proposes other settings than one that was not interrupted; it must be whole."""
    trials = pd.read_csv(folder / "trials.csv") if (folder / "trials.csv").is_file() else pd.DataFrame({"state": []})
    return {
        "trials are complete": str((trials["state"] == "complete").sum() >= 1),
        "none is running": str(not (trials["state"] == "running").any()),
        "best.toml exists": str((folder / "best.toml").is_file()),
        "best is a complete run": str(
            (folder / "best" / "bundle" / "bundle.json").is_file() and not (folder / "best" / "state").exists()
        ),
    }


def _read_comparison(folder: Path) -> dict[str, str]:
    results = checksum_files(folder, ["runs/*/bundle/*.safetensors", "runs/*/evaluation/predictions.csv", "split.csv"])
    results["comparison.csv"] = _read_table(folder / "comparison.csv")
    for name in ("comparison.html", "comparison.png"):
        results[f"{name} exists"] = str((folder / name).is_file())
    return results


def _read_export(folder: Path) -> dict[str, str]:
    results = checksum_files(folder, ["*.onnx"])
    certificates = list(folder.glob("*.json"))
    results["certificates"] = str(len(certificates))
    return results


VERBS: dict[str, Verb] = {
    "train": Verb(
        lambda sound, out: ["train", sound.photos, "--out", out / "run", *_TRAINING, *EPOCHS],
        lambda out: read_run(out / "run"),
        ("--resume",),
    ),
    "predict": Verb(
        lambda sound, out: ["predict", sound.run, sound.asked, "--out", out / "answers.csv"],
        lambda out: checksum_files(out, ["*.csv"]),
    ),
    "export": Verb(lambda sound, out: ["export", sound.run, "--out", out / "model.onnx"], _read_export),
    "tune": Verb(
        lambda sound, out: ["tune", sound.photos, "--out", out / "search", "--trials", "2", *_TRAINING, *_BRIEF],
        lambda out: _read_search(out / "search"),
    ),
    "compare": Verb(
        lambda sound, out: ["compare", sound.photos, "--out", out / "comparison", *_COMPARED, *SETTINGS, *_BRIEF],
        lambda out: _read_comparison(out / "comparison"),
    ),
}
_WEIGHTS = {"train": 6, "predict": 4, "export": 3, "serve": 3, "compare": 1, "tune": 1}
"""How often each is killed: those that take minutes less often."""


def kill_one(sound: Sound, rng: random.Random, work: Path) -> Round:
    """Kill one command, up to three times, and check what it leaves and how it ends."""
    (name,) = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
    return kill_server(sound, rng) if name == "serve" else kill_verb(sound, rng, work, name)


def kill_verb(sound: Sound, rng: random.Random, work: Path, name: str) -> Round:
    """Kill a command that writes files."""
    verb, round_ = VERBS[name], Round()
    round_.counts[f"{name} tried"] += 1
    whole = _run_whole(sound, name)
    words = verb.words(sound, work)
    for number in range(rng.randint(1, _MAX_KILLS)):
        more = verb.more_to_resume if number else ()
        command = sound.start(*words, *more)
        if not _kill_after(command, rng.uniform(0, whole.seconds), is_alone=rng.random() < 0.5):
            done = command.wait()
            if done.code != 2:  # there was nothing to resume, or it had ended
                round_.failures += done.find_faults()
            continue
        code = command.wait().code
        round_.counts[f"kills of {name}"] += code == KILLED
        round_.failures += _check_what_is_left(work, name)
    round_.counts["hidden files left by kills"] += len(_list_hidden(work))
    round_.failures += [f"{name}: {fault}" for fault in _go_on(sound, verb, words)]
    round_.failures += [f"{name}: {fault}" for fault in find_differences(verb.read(work), whole.results)]
    left = [str(path.relative_to(work)) for path in _list_hidden(work) if "trials" not in path.parts]
    round_.failures += [f"{name}: {path} is left after the command ran again" for path in left]
    return round_


def _list_hidden(work: Path) -> list[Path]:
    """Return hidden files and folders, such as those that a kill leaves unfinished."""
    return list(work.rglob(".*"))


def _go_on(sound: Sound, verb: Verb, words: Sequence[object]) -> list[str]:
    """Do what a user does after a kill: resume; where there is nothing to resume yet, begin again."""
    done = sound.call(*words, *verb.more_to_resume)
    if done.code == 2 and "leave --resume out" in done.err:
        done = sound.call(*words)
    if done.code == 2 and verb.more_to_resume and "is complete" in done.err:
        return []
    return done.find_faults(allowed=(0,))


def _check_what_is_left(work: Path, name: str) -> list[str]:
    """Check that files with names that are used are whole, right after a kill."""
    described = [path for path in work.rglob("*.json") if not path.name.startswith(".")]
    cut = [path for path in described if not _is_json(path)]
    cut += [path for path in work.glob("*.csv") if not path.read_bytes().endswith(b"\n")]
    return [f"{name}: {path.relative_to(work)} is cut after the kill" for path in cut]


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def _kill_after(command: Command, seconds: float, *, is_alone: bool) -> bool:
    """Kill a command after so long; return False if it ended before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not command.is_running():
            return False
        time.sleep(0.002)
    command.kill(is_alone=is_alone)
    return True


@cache
def _run_whole(sound: Sound, name: str) -> Whole:
    """Run a command without a kill, once a campaign."""
    verb, out = VERBS[name], Path(tempfile.mkdtemp(prefix=f"whole-{name}-", dir=sound.folder))
    started = time.monotonic()
    sound.call_undisturbed(*verb.words(sound, out))
    seconds = time.monotonic() - started
    whole = Whole(seconds, verb.read(out))
    shutil.rmtree(out)
    return whole


def _read_table(path: Path) -> str:
    if not path.is_file():
        return "missing"
    return pd.read_csv(path).drop(columns=_MEASURED, errors="ignore").to_csv(index=False)
