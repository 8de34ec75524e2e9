"""How much one request, and all of them together, may ask for."""

from dataclasses import dataclass

_MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits beyond which requests are refused, and how long pictures, requests and connections wait.

    `max_pictures`, `max_bytes` and `max_explained` (heat maps) are of one request, `max_waiting` and `max_bytes_held`
    of all together in one process: beyond these a client is asked to try again. `max_picture_bytes` and `max_pixels`
    are of one picture; the bundle's own limit holds as well. At most `batch_pictures` are computed at a time; the first
    of a batch waits `batch_wait_seconds` at most for others that are on their way. A connection has `head_seconds` to
    send the headers of a request; of more than `max_connections` the one that is idle longest is closed.
    """

    max_pictures: int = 64
    max_bytes: int = 64 * _MEBIBYTE
    max_picture_bytes: int = 32 * _MEBIBYTE
    max_pixels: int = 50_000_000
    max_explained: int = 8
    max_waiting: int = 256
    max_bytes_held: int = 256 * _MEBIBYTE
    request_seconds: float = 60.0
    batch_pictures: int = 64
    batch_wait_seconds: float = 0.005
    head_seconds: float = 10.0
    max_connections: int = 512
