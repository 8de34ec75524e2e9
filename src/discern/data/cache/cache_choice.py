"""Decides where decoded pictures are kept between epochs."""

from pathlib import Path
from typing import Literal, NamedTuple

from discern.data.cache.array_cache import ArrayCache, compute_free_bytes
from discern.data.cache.free_memory import compute_free_memory_bytes
from discern.data.cache.picture_cache import CachePlace, compute_cache_bytes
from discern.errors import ConfigError

_AUTO_SHARE = 0.25
_LARGEST_SHARE = 0.75
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, nothing is written there


class CacheChoice(NamedTuple):
    """Where pictures are kept between epochs, and the reason as text."""

    choice: CachePlace
    reason: str


class _Room(NamedTuple):
    """Whether there is room in memory, for `auto` and at all, and on disk; as text, too."""

    in_memory: bool
    fits_in_memory: bool
    on_disk: bool
    memory_text: str
    disk_text: str


def choose_picture_cache(
    setting: CachePlace | Literal["auto"],
    *,
    num_images: int,
    canvas_size: int,
    epochs: int,
    workers: int,
    folder: Path,
    limit_bytes: int,
    in_memory: bool = False,
    picture_pixels: int | None = None,
    num_ranks: int = 1,
) -> CacheChoice:
    """Choose where pictures are kept between epochs.

    `auto` keeps them in memory when all of them fit in a quarter of the free memory; else on disk when there is room
    and the files are larger than what is kept of them; else nowhere, and nowhere when they are read only once.

    Args:
        setting: `auto`, or what the user wants.
        num_images: Pictures that are kept, of all tables together.
        canvas_size: Side of what is kept of each, in pixels.
        epochs: How often each is read.
        workers: Loader processes; what they share lies in /dev/shm.
        folder: The folder of the `ArrayCache`.
        limit_bytes: Its limit.
        in_memory: Whether the pictures are arrays in memory; they are never kept a second time.
        picture_pixels: Width times height of a usual picture, where it is known.
        num_ranks: Training processes on this machine; each keeps all pictures.

    Raises:
        ConfigError: Memory or disk are asked for and have no room.
    """
    if setting == "off":
        return CacheChoice("off", "as set")
    if in_memory:
        return CacheChoice("off", "the pictures are in memory already")
    needed = num_ranks * compute_cache_bytes(num_images, canvas_size)
    size = f"{num_images:,} pictures of {canvas_size} x {canvas_size} take {_describe_bytes(needed)}"
    room = _find_room(needed, ArrayCache(folder, limit_bytes=limit_bytes), shared=workers > 0)
    if setting == "auto":
        if epochs < 2:
            return CacheChoice("off", "pictures are read only once")
        return _choose_roomy(size, room, are_small=picture_pixels is not None and picture_pixels <= canvas_size**2)
    if not (room.fits_in_memory if setting == "memory" else room.on_disk):
        room_text = room.memory_text if setting == "memory" else room.disk_text
        raise ConfigError(
            f"data.cache={setting} has no room: {size}, there are {room_text}. "
            "Use data.cache=auto to take what there is room for, or off."
        )
    return CacheChoice(setting, f"as set; {size}")


def _choose_roomy(size: str, room: _Room, *, are_small: bool) -> CacheChoice:
    if room.in_memory:
        return CacheChoice("memory", f"{size}, there are {room.memory_text}")
    if are_small:
        return CacheChoice("off", f"{size}, more than a quarter of the {room.memory_text}; the files are smaller")
    if room.on_disk:
        return CacheChoice("disk", f"{size}, more than a quarter of the {room.memory_text}")
    return CacheChoice("off", f"{size}, there are {room.memory_text} and {room.disk_text}")


def _find_room(needed: int, arrays: ArrayCache, *, shared: bool) -> _Room:
    free = compute_free_memory_bytes()
    if free is not None and shared and _SHARED_MEMORY.is_dir():
        free = min(free, compute_free_bytes(_SHARED_MEMORY))
    on_disk = compute_free_bytes(arrays.folder)
    return _Room(
        in_memory=free is not None and needed <= _AUTO_SHARE * free,
        fits_in_memory=free is None or needed <= _LARGEST_SHARE * free,
        on_disk=arrays.could_hold(needed),
        memory_text="memory of unknown size" if free is None else f"{_describe_bytes(free)} of free memory",
        disk_text=f"{_describe_bytes(on_disk)} free on the disk and a limit of {_describe_bytes(arrays.limit_bytes)} "
        f"for {arrays.folder}",
    )


def _describe_bytes(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.1f} MiB"
