"""Damages what discern itself has written: bundles, runs, states of training and caches."""

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

from benchmarks.soak.campaign import Round
from benchmarks.soak.commands import limit_memory
from benchmarks.soak.kills import read_run
from benchmarks.soak.mutations import flip_bit, mutate_bytes, mutate_json
from benchmarks.soak.sound import EPOCHS, SETTINGS, Sound, find_other_answers, read_answers

_MEMORY_MEGABYTES = 8_000
"""Of address space; the sound commands take less than half of it."""
_BUNDLES, _STATES, _CACHES, _RUNS = 20, 3, 2, 4
"""How many of each are damaged in a round."""
_CACHED = ("--recipe", "transfer", *SETTINGS, "epochs=2", "run.report=false", "run.plots=false")


def mutate_record(sound: Sound, rng: random.Random, work: Path) -> Round:
    """Damage bundles, states, caches and runs; an error, or the sound answers, must come of it."""
    round_ = Round()
    for what, count, damage in (
        ("bundles", _BUNDLES, _damage_bundle),
        ("states", _STATES, _damage_state),
        ("caches", _CACHES, _damage_cache),
        ("runs", _RUNS, _damage_run),
    ):
        for number in range(sound.count(count)):
            folder = work / f"{what}-{number}"
            folder.mkdir()
            round_.failures += damage(sound, rng, folder, round_.counts)
            round_.counts[f"damaged {what}"] += 1
            shutil.rmtree(folder)
    return round_


def _damage_bundle(sound: Sound, rng: random.Random, folder: Path, counts: Counter[str]) -> list[str]:
    """Predict with a damaged bundle, by the command line or in Python."""
    bundle, out = folder / "bundle", folder / "answers.csv"
    shutil.copytree(sound.run / "bundle", bundle)
    what = _damage_file(rng.choice(_list_files(bundle)), rng)
    limit = limit_memory(_MEMORY_MEGABYTES)
    if rng.random() < 0.5:
        done = sound.call("predict", bundle, sound.asked, "--out", out, limit=limit)
    else:
        done = sound.call_python(lambda: _predict_in_python(bundle, sound.asked, out), limit=limit)
    faults = done.find_faults(allowed=(0, 2))
    if done.code == 0:
        counts["bundles with the sound answers"] += 1
        faults += find_other_answers(read_answers(out), sound.read_answers()) if out.is_file() else ["no answers"]
    return [f"bundle, {what}: {fault}" for fault in faults]


def _predict_in_python(bundle: Path, asked: Path, out: Path) -> None:
    import discern

    discern.predict(bundle, asked, verbose=False).frame.to_csv(out, index=False)


def _damage_state(sound: Sound, rng: random.Random, folder: Path, counts: Counter[str]) -> list[str]:
    """Resume a run whose state or plan was damaged."""
    run = folder / "run"
    shutil.copytree(_interrupt_run(sound), run)
    wanted = ("state/*", "plan.json", "config.toml", "split.csv", "environment.json", "history.csv")
    files = [path for pattern in wanted for path in run.glob(pattern) if path.is_file()]
    what = _damage_file(rng.choice(files), rng)
    done = sound.call("train", "--resume", "--out", run, limit=limit_memory(_MEMORY_MEGABYTES))
    faults = done.find_faults(allowed=(0, 2))
    if done.code == 0:
        counts["states with the sound result"] += 1
        faults += _compare_weights(read_run(run), read_run(sound.run))
    return [f"state, {what}: {fault}" for fault in faults]


def _damage_cache(sound: Sound, rng: random.Random, folder: Path, counts: Counter[str]) -> list[str]:
    """Train with damaged caches: what is damaged must be computed again."""
    filled, expected = _fill_caches(sound)
    home, run = folder / "home", folder / "run"
    # With their times, since a cache knows pictures by them.
    shutil.copytree(filled, home)
    what = _damage_file(rng.choice(_list_files(home)), rng)
    done = sound.call("train", sound.photos, "--out", run, *_CACHED, home=home)
    faults = done.find_faults(allowed=(0,))
    if done.code == 0:
        counts["caches with the sound result"] += 1
        faults += _compare_weights(read_run(run), expected)
    return [f"cache, {what}: {fault}" for fault in faults]


def _damage_run(sound: Sound, rng: random.Random, folder: Path, counts: Counter[str]) -> list[str]:
    """Read a run of which any file was damaged with a command that reads it."""
    run, other = folder / "run", folder / "other"
    for copy in (run, other):
        shutil.copytree(sound.run, copy)
    what = _damage_file(rng.choice([path for path in _list_files(run) if path.suffix != ".png"]), rng)
    words = rng.choice(
        (
            ["report", run],
            ["diff", run, other],
            ["evaluate", run, sound.photos, "--out", folder / "evaluated"],
            ["explain", run, sound.list_asked()[0], "--out", folder / "explained"],
            ["train", "--resume", "--out", run],
        )
    )
    done = sound.call(*words, limit=limit_memory(_MEMORY_MEGABYTES))
    counts["damaged runs that were read"] += done.code == 0
    return [f"run, {what}: {fault}" for fault in done.find_faults()]


def _damage_file(path: Path, rng: random.Random) -> str:
    """Change a field of JSON or any bytes of a file, keep its times, and return what was changed."""
    status, before = path.stat(), path.read_bytes()
    how = "bytes"
    if rng.random() < 0.08:
        path.unlink()
        return f"{path.name} removed"
    if path.suffix == ".json" and rng.random() < 0.75:
        text, how = mutate_json(before.decode(), rng)
        path.write_text(text, encoding="utf-8")
    else:
        path.write_bytes((flip_bit if rng.random() < 0.5 else mutate_bytes)(before, rng))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return f"{path.name} {how}"


def _compare_weights(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    name = "bundle/model.safetensors"
    return [] if found.get(name) == expected[name] else ["other weights, and code 0"]


@cache
def _interrupt_run(sound: Sound) -> Path:
    """Return a run that was killed after two epochs, once a campaign."""
    run = Path(tempfile.mkdtemp(prefix="interrupted-", dir=sound.folder)) / "run"
    command = sound.start("train", sound.photos, "--out", run, "--recipe", "table", *SETTINGS, *EPOCHS)
    history = run / "history.csv"
    while command.is_running() and not (history.is_file() and len(history.read_text().splitlines()) > 2):
        time.sleep(0.01)
    command.kill()
    command.wait()
    return run


@cache
def _fill_caches(sound: Sound) -> tuple[Path, dict[str, str]]:
    """Return a folder of caches that a training has filled, and what that training gave, once a campaign."""
    folder = Path(tempfile.mkdtemp(prefix="caches-", dir=sound.folder))
    sound.call_undisturbed("train", sound.photos, "--out", folder / "run", *_CACHED, home=folder / "home")
    return folder / "home", read_run(folder / "run")


def _list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
