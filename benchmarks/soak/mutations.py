"""Damage: bytes and fields that are changed at random."""

import json
import random
from collections.abc import Callable
from typing import Any

_EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\x01\0\0\0")
_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0", b"RIFF\x10\0\0\0WEBP", b"<svg ", b"PK")
_NASTY_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**6,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "a",
    "../../etc/passwd",
    "x" * 100_000,
    [],
    [[]],
    [0, 0, 0],
    {},
    {"a": 1},
)


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to three random changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(_WAYS)(content, rng)
    return content


def flip_bit(content: bytes, rng: random.Random) -> bytes:
    """Return bytes of which one bit is another."""
    if not content:
        return content
    place, changed = rng.randrange(len(content)), bytearray(content)
    changed[place] ^= 1 << rng.randrange(8)
    return bytes(changed)


def mutate_json(text: str, rng: random.Random) -> tuple[str, str]:
    """Return JSON of which one value, anywhere in it, is removed or another, and a description of the change."""
    content = json.loads(text)
    places = list(_list_places(content, ()))
    path = rng.choice(places)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    way = rng.choice(("remove", "replace", "replace", "nudge", "swap"))
    value = holder[path[-1]]
    shown = ".".join(map(str, path))
    if way == "remove":
        del holder[path[-1]]
        return json.dumps(content), f"{shown} removed"
    if way == "nudge" and isinstance(value, int | float) and not isinstance(value, bool):
        new: Any = value * rng.choice((-1, 0, 2, 1000, 0.5)) + rng.choice((0, 1))
    elif way == "swap" and isinstance(value, list) and len(value) > 1:
        new = value[::-1]
    else:
        new = rng.choice(_NASTY_VALUES)
    holder[path[-1]] = new
    return json.dumps(content), f"{shown} = {str(new)[:60]}"


def _list_places(content: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return the keys that lead to every value."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    places = []
    for key, value in items:
        places += [(*path, key), *_list_places(value, (*path, key))]
    return places


def _cut_off(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _take_out(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randrange(1, 200) :]


def _put_in(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.randbytes(rng.randrange(1, 200)) + content[start:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    end = start + rng.randrange(1, 500)
    return content[:end] + content[start:end] + content[end:]


def _overwrite(content: bytes, rng: random.Random) -> bytes:
    # More often at the beginning, where sizes and types stand.
    start = rng.randrange(min(len(content), 64) + 1) if rng.random() < 0.6 else rng.randrange(len(content) + 1)
    extreme = rng.choice(_EXTREMES)
    return content[:start] + extreme + content[start + len(extreme) :]


def _blank(content: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(content) + 1)
    length = rng.randrange(1, 1000)
    return content[:start] + bytes(len(content[start : start + length])) + content[start + length :]


def _change_head(content: bytes, rng: random.Random) -> bytes:
    head = rng.choice(_HEADS)
    return head + content[len(head) :]


_WAYS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip_bit,
    flip_bit,
    flip_bit,
    _cut_off,
    _take_out,
    _put_in,
    _repeat,
    _overwrite,
    _overwrite,
    _blank,
    _change_head,
)
