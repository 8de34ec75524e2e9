"""Damaged pictures among sound ones, through the command line, Python and the server."""

import http.client
import io
import json
import random
from collections import Counter
from pathlib import Path

import pandas as pd
from PIL import Image

from benchmarks.serving import build_form, post
from benchmarks.soak.campaign import Round
from benchmarks.soak.mutations import mutate_bytes
from benchmarks.soak.server import TOLERANCE, find_wrong_answer, serving
from benchmarks.soak.sound import Sound, find_other_answers, read_answers

_DAMAGED = 200
"""Pictures in a round."""
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
_REFUSALS = (400, 413, 415, 422)


def mutate_pictures(sound: Sound, rng: random.Random, work: Path) -> Round:
    """Damage many pictures, and ask for all of them and for the sound ones in every way."""
    round_, folder = Round(), work / "pictures"
    folder.mkdir()
    for path in sound.list_asked():
        (folder / path.name).write_bytes(path.read_bytes())
    damaged = [_damage(rng, sound, folder, number) for number in range(sound.count(_DAMAGED))]
    answers, unreadable = _ask_command_line(sound, folder, work, round_)
    _check_rows(sound, damaged, answers, unreadable, round_)
    round_.failures += [f"Python: {fault}" for fault in _ask_python(sound, folder, work, answers)]
    _ask_server(sound, rng, damaged, answers, round_)
    round_.counts["damaged pictures"] += len(damaged)
    round_.counts["of them readable"] += sum(path.name in answers.index for path in damaged)
    return round_


def _damage(rng: random.Random, sound: Sound, folder: Path, number: int) -> Path:
    """Save one of the sound pictures in some format and damage the file."""
    name, buffer = rng.choice(_FORMATS), io.BytesIO()
    with Image.open(rng.choice(sound.list_asked())) as image:
        size = rng.choice((8, 40, 200))
        image.resize((size, size)).convert(rng.choice(("RGB", "RGB", "L", "P")).replace("P", "RGB")).save(buffer, name)
    path = folder / f"damaged-{number:03d}.{rng.choice((name.lower(), 'jpg', 'png'))}"
    path.write_bytes(mutate_bytes(buffer.getvalue(), rng))
    return path


def _ask_command_line(sound: Sound, folder: Path, work: Path, round_: Round) -> tuple[pd.DataFrame, set[str]]:
    out = work / "answers.csv"
    done = sound.call("predict", sound.run, folder, "--out", out)
    round_.failures += done.find_faults(allowed=(0, 1))
    if not out.is_file():
        return sound.read_answers().iloc[:0], set()
    problems = out.with_name("answers.bad_files.csv")
    bad = set(pd.read_csv(problems)["path"].map(lambda name: Path(name).name)) if problems.is_file() else set()
    if bool(bad) != (done.code == 1):
        round_.failures.append(f"exit code {done.code} with {len(bad)} pictures that could not be read")
    return read_answers(out), bad


def _check_rows(sound: Sound, damaged: list[Path], answers: pd.DataFrame, unreadable: set[str], round_: Round) -> None:
    """Check that each damaged picture is answered or listed, once, and that the sound ones have their answers."""
    round_.failures += [
        f"beside damaged pictures: {f}" for f in find_other_answers(answers, sound.read_answers(), TOLERANCE)
    ]
    rows = Counter(answers.index)
    for path in damaged:
        if rows[path.name] + (path.name in unreadable) != 1:
            round_.failures.append(
                f"{path.name}: {rows[path.name]} rows, listed as unreadable: {path.name in unreadable}"
            )
    wrong = answers[~answers["confidence"].between(0, 1) | answers["label"].isna()]
    round_.failures += [f"{name}: no answer in its row" for name in wrong.index]


def _ask_python(sound: Sound, folder: Path, work: Path, answers: pd.DataFrame) -> list[str]:
    """Ask through Python, in a process of its own; the answers must be those of the command line."""
    out = work / "python.csv"
    done = sound.call_python(lambda: _predict_in_python(sound.run, folder, out))
    faults = done.find_faults(allowed=(0,))
    return faults + (find_other_answers(read_answers(out), answers, TOLERANCE) if out.is_file() else ["no answers"])


def _predict_in_python(run: Path, folder: Path, out: Path) -> None:
    import discern

    found = discern.predict(run, folder, verbose=False)
    found.frame.to_csv(out, index=False)


def _ask_server(sound: Sound, rng: random.Random, damaged: list[Path], answers: pd.DataFrame, round_: Round) -> None:
    """Send each to a server: it must answer as the command line does, or refuse what that cannot read."""
    expected = sound.read_answers()
    with serving(sound, round_) as (port, _):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        for path in damaged:
            status, body = post(connection, build_form(path.read_bytes()))
            round_.failures += _find_fault(path, status, body, answers)
            round_.counts["requests to the server"] += 1
            if rng.random() < 0.1:
                good = rng.choice(sound.list_asked())
                status, body = post(connection, build_form(good.read_bytes()))
                round_.failures += find_wrong_answer(good, status, body, expected)
        connection.close()


def _find_fault(path: Path, status: int, body: bytes, answers: pd.DataFrame) -> list[str]:
    if path.name in answers.index:
        return find_wrong_answer(path, status, body, answers)
    if status not in _REFUSALS or json.loads(body).get("error", {}).get("status") != status:
        return [f"the server answers {path.name}, which predict cannot read, with {status}: {body[:200]!r}"]
    return []
