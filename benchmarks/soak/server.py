"""A server of the campaign: started, asked, killed and started again."""

import http.client
import json
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from benchmarks.serving import build_form, is_ready, post
from benchmarks.soak.campaign import Round
from benchmarks.soak.commands import KILLED, Command
from benchmarks.soak.sound import Sound, UndisturbedError

TOLERANCE = 0.01
"""Largest difference between confidences in bf16 that were computed in different batches."""
STOPPED = (0, -signal.SIGTERM)
"""How a server ends that was asked to; uvicorn ends what it has begun and then hands the signal on."""
_START_SECONDS = 300


def find_free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def start_server(sound: Sound, port: int) -> Command:
    """Start a server of the sound run, and wait until it answers."""
    command = sound.start("serve", sound.run, "--port", port)
    deadline = time.monotonic() + _START_SECONDS
    while not is_ready(port):
        if not command.is_running() or time.monotonic() > deadline:
            command.kill()
            raise UndisturbedError(command.wait())
        time.sleep(0.05)
    return command


@contextmanager
def serving(sound: Sound, round_: Round) -> Iterator[tuple[int, Command]]:
    """Serve the sound run, and check that the server ends well."""
    port = find_free_port()
    command = start_server(sound, port)
    try:
        yield port, command
    finally:
        if not command.is_running():
            round_.failures.append("the server ended by itself")
        command.stop()
        round_.failures += command.wait(60).find_faults(STOPPED)


def kill_server(sound: Sound, rng: random.Random) -> Round:
    """Kill a server while it answers, start another on the same port, and check its answers."""
    round_, port = Round(), find_free_port()
    command = start_server(sound, port)
    deadline = time.monotonic() + rng.uniform(0, 1)
    while time.monotonic() < deadline:
        round_.failures += ask_all(port, sound)
    command.kill()
    round_.counts["kills of serve"] += command.wait().code == KILLED
    again = start_server(sound, port)
    round_.failures += ask_all(port, sound)
    again.stop()
    round_.failures += again.wait(60).find_faults(STOPPED)
    return round_


def ask_all(port: int, sound: Sound) -> list[str]:
    """Ask for every picture, and return what is wrong with the answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    expected = sound.read_answers()
    faults = []
    for path in sound.list_asked():
        status, body = post(connection, build_form(path.read_bytes()))
        faults += find_wrong_answer(path, status, body, expected)
    connection.close()
    return faults


def find_wrong_answer(path: Path, status: int, body: bytes, expected: pd.DataFrame) -> list[str]:
    """Return what is wrong with an answer to a sound picture."""
    if status != http.client.OK:
        return [f"the server answers {path.name} with {status}: {body[:200]!r}"]
    answer, wanted = json.loads(body)["pictures"][0], expected.loc[path.name]
    is_near = abs(answer.get("confidence", -1) - wanted["confidence"]) <= TOLERANCE
    if is_near and (answer["label"] == wanted["label"] or wanted["confidence"] <= 0.5 + TOLERANCE):
        return []
    given, right = (f"{one.get('label')} {one.get('confidence')}" for one in (answer, wanted))
    return [f"the server answers {path.name} with {given} instead of {right}"]
