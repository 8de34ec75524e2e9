"""How much one request, and all of them together, may ask for."""

from dataclasses import dataclass

_MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What is refused, and how long is waited.

    `most_pictures` and `most_bytes` are of one request, `most_waiting` and `most_bytes_held` of all together in one
    process: beyond them a client is told to come back. `most_explained` are the heat maps and `most_pixels` is that of
    one picture; the bundle's own limit holds besides. Pictures are computed `batch_pictures` at a time at most; the
    first of a batch waits `batch_wait_seconds` at most for others that are on their way.
    """

    most_pictures: int = 64
    most_bytes: int = 64 * _MEBIBYTE
    most_picture_bytes: int = 32 * _MEBIBYTE
    most_pixels: int = 50_000_000
    most_explained: int = 8
    most_waiting: int = 256
    most_bytes_held: int = 256 * _MEBIBYTE
    request_seconds: float = 60.0
    batch_pictures: int = 64
    batch_wait_seconds: float = 0.005
