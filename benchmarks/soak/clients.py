"""Many clients at a time, good and hostile, while the model is reloaded and the memory is watched."""

import http.client
import itertools
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.serving import build_form, post
from benchmarks.soak.campaign import Round
from benchmarks.soak.commands import Command
from benchmarks.soak.hostile import BUSY, HOSTILE_KINDS, NO_ANSWER, build_hostile
from benchmarks.soak.server import find_wrong_answer, serving
from benchmarks.soak.sound import Sound

CLIENTS = 64
REQUESTS = 1_500
"""Of a round, all clients together."""
_RELOADS = 24
_MAX_GROWTH_BYTES = 64 * 2**20
_HOSTILE_SHARE = 0.4


def ask_as_many(sound: Sound, rng: random.Random, work: Path) -> Round:  # noqa: ARG001 - as all parts
    """Send requests in three parts; no answer may be wrong, and memory must not grow in the last, after warming up."""
    round_, requests, reloads = Round(), sound.count(REQUESTS), sound.count(_RELOADS)
    with serving(sound, round_) as (port, command):
        resident = []
        for share in (1 / 3, 1 / 3, 1 / 3):
            _ask_together(sound, port, rng, round(share * requests), max(1, round(share * reloads)), round_)
            resident.append(_read_resident_bytes(command))
        growth = resident[2] - resident[1]
        round_.counts["MiB of growth"] += growth // 2**20
        if growth > _MAX_GROWTH_BYTES:
            round_.failures.append(f"memory grew from {resident[1] / 2**20:.0f} to {resident[2] / 2**20:.0f} MiB")
        _check_alive(port, round_)
    return round_


def _ask_together(sound: Sound, port: int, rng: random.Random, count: int, reloads: int, round_: Round) -> None:
    seeds = [rng.getrandbits(32) for _ in range(CLIENTS)]
    work, ended = iter(range(count)), threading.Event()

    def reload() -> list[str]:
        faults = []
        for _ in range(reloads):
            if ended.wait(0.5):
                break
            status = _send(port, b"POST /reload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n")
            faults += [] if status == http.client.OK else [f"/reload is answered with {status}"]
            round_.counts["reloads"] += 1
        return faults

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        reloading = pool.submit(reload)
        clients = [pool.submit(_be_client, sound, port, seed, work, round_) for seed in seeds]
        round_.failures += itertools.chain.from_iterable(client.result() for client in clients)
        ended.set()
        round_.failures += reloading.result()


def _be_client(sound: Sound, port: int, seed: int, work: "itertools.count[int]", round_: Round) -> list[str]:
    """Send good and hostile requests as long as there is work, and return what was wrong with the answers."""
    rng, faults, expected = random.Random(seed), [], sound.read_answers()  # noqa: S311 - not for security
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for _ in work:
        if rng.random() < _HOSTILE_SHARE:
            faults += _be_hostile(sound, port, rng)
            round_.counts["hostile requests"] += 1
            continue
        path = rng.choice(sound.list_asked())
        try:
            status, body = _post_again(connection, build_form(path.read_bytes()))
        except (OSError, http.client.HTTPException) as error:
            faults.append(f"a good request for {path.name} was not answered: {error!r}")
            continue
        round_.counts["good requests"] += 1
        if status == BUSY:
            round_.counts["answers that the server is busy"] += 1
            continue
        faults += find_wrong_answer(path, status, body, expected)
    connection.close()
    return faults


def _post_again(connection: http.client.HTTPConnection, form: bytes) -> tuple[int, bytes]:
    """Send a form; once more if the connection turns out to be closed, as a server may do with idle ones."""
    try:
        return post(connection, form)
    except (ConnectionError, http.client.HTTPException):
        connection.close()
        return post(connection, form)


def _be_hostile(sound: Sound, port: int, rng: random.Random) -> list[str]:
    """Send one hostile request; it must be refused or dropped, and never fail inside."""
    hostile = build_hostile(rng.choice(HOSTILE_KINDS), sound.list_asked()[0].read_bytes(), rng)
    status = _send(port, hostile.request, leaves=hostile.leaves)
    return [] if status in hostile.allowed else [f"a hostile request ({hostile.kind}) is answered with {status}"]


def _send(port: int, request: bytes, *, leaves: bool = False) -> int:
    """Send bytes on a connection of their own, and return the status of the answer, or that there was none."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        try:
            connection.sendall(request)
            if leaves:
                connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65_536)
        except OSError:
            return NO_ANSWER
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else NO_ANSWER


def _check_alive(port: int, round_: Round) -> None:
    status = _send(port, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    if status != http.client.OK:
        round_.failures.append(f"/health is answered with {status} in the end")


def _read_resident_bytes(command: Command) -> int:
    (line,) = (
        line for line in Path(f"/proc/{command.pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1]) * 1024
