"""Requests that are made to harm a server, or that make no sense."""

import random
import struct
import zlib
from collections.abc import Collection
from http import HTTPStatus
from typing import NamedTuple

from benchmarks.serving import build_form
from benchmarks.soak.mutations import mutate_bytes

NO_ANSWER = -1
BUSY = int(HTTPStatus.SERVICE_UNAVAILABLE)
_REFUSED = frozenset({*range(400, 500), BUSY})
_ANSWERED = frozenset({*_REFUSED, int(HTTPStatus.OK)})
_FORBIDDEN = frozenset({int(HTTPStatus.FORBIDDEN)})
_DROPPED = frozenset({*_REFUSED, NO_ANSWER})

HOSTILE_KINDS = (
    "a file of nothing",
    "text",
    "half a picture",
    "a bomb",
    "a damaged picture",
    "a damaged form",
    "a client that leaves",
    "a foreign page",
    "a broken origin",
    "another path",
    "a negative length",
    "a huge length",
    "noise",
)


class Hostile(NamedTuple):
    """A request as bytes, and the statuses that are right for it; with `leaves`, its client sends no more."""

    kind: str
    request: bytes
    allowed: Collection[int] = _REFUSED
    leaves: bool = False


def build_hostile(kind: str, picture: bytes, rng: random.Random) -> Hostile:  # noqa: C901 - one line for each kind
    """Build a request of one of `HOSTILE_KINDS` from a sound picture."""
    form = build_form(picture)
    match kind:
        case "a file of nothing":
            return Hostile(kind, _build_request(build_form(b"")))
        case "text":
            return Hostile(kind, _build_request(build_form(b"no picture " * 1000)))
        case "half a picture":
            return Hostile(kind, _build_request(build_form(picture[: len(picture) // 2])))
        case "a bomb":
            return Hostile(kind, _build_request(build_form(_build_bomb())))
        case "a damaged picture":
            return Hostile(kind, _build_request(build_form(mutate_bytes(picture, rng))), _ANSWERED)
        case "a damaged form":
            return Hostile(kind, _build_request(mutate_bytes(form, rng)), _ANSWERED)
        case "a client that leaves":
            started = _build_request(form[: rng.randrange(1000)], announced=100_000)
            return Hostile(kind, started, _DROPPED, leaves=True)
        case "a foreign page":
            return Hostile(kind, _build_request(form, "Origin: http://evil.example"), _FORBIDDEN)
        case "a broken origin":
            return Hostile(kind, _build_request(form, "Origin: http://[x"), _FORBIDDEN)
        case "another path":
            return Hostile(kind, _build_request(b"", path="/../../etc/passwd"))
        case "a negative length":
            return Hostile(kind, _build_request(b"", announced=-5))
        case "a huge length":
            return Hostile(kind, _build_request(b"x", announced=10**15))
    return Hostile(kind, rng.randbytes(rng.randrange(1, 2000)) + b"\r\n\r\n", _DROPPED, leaves=True)


def _build_request(body: bytes, *headers: str, path: str = "/predict", announced: int | None = None) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: multipart/form-data; boundary=benchmark",
        f"Content-Length: {len(body) if announced is None else announced}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _build_bomb() -> bytes:
    """Return a PNG that says it has 3.6 billion pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + b"IHDR" + header + checksum + end
