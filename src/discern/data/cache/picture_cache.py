"""Pictures that are kept after decoding and fitting, so that later epochs need not do that again."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import PIL
import torch
from torch import Tensor

from discern.data.cache.array_cache import ArrayCache, PendingArray
from discern.data.picture_arrays import hash_picture
from discern.data.reading.decode import DECODE_RULES, MAX_PIXELS
from discern.data.reading.preprocess import Preprocess
from discern.data.stored_pictures import stat_picture
from discern.data.table import ImageTable
from discern.errors import DataError

logger = logging.getLogger("discern")

CachePlace = Literal["memory", "disk", "off"]


class _Unfinished(NamedTuple):
    """A file that gets its name in the cache when all rows are filled."""

    array: PendingArray
    arrays: ArrayCache
    key: str


class PictureCache:
    """Canvases uint8 (3, C, C) by row of a table, kept exactly as they were put in.

    Loader processes, forked or spawned, fill and read the same memory or file. A row counts as filled only after its
    pixels are written.
    """

    def __init__(self, place: Tensor | Path, filled: Tensor | None, *, unfinished: _Unfinished | None = None) -> None:
        self._place = place
        self._filled = filled  # None where all rows are
        self._unfinished = unfinished
        self._canvases = _view(place, writable=filled is not None)

    @classmethod
    def in_memory(cls, num_images: int, canvas_size: int, *, shared: bool) -> Self:
        """Return an empty cache in memory; where it is `shared` with loader processes, it is allocated at once."""
        canvases = torch.empty(_shape(num_images, canvas_size), dtype=torch.uint8)
        return cls(_share(canvases) if shared else canvases, _none_filled(num_images))

    @classmethod
    def on_disk(cls, arrays: ArrayCache, key: str, num_images: int, canvas_size: int) -> Self:
        """Return the complete cache of this key, or an empty one that gets the key when it is full.

        Raises:
            DataError: There is no room for it.
            OSError: It cannot be written.
        """
        shape = _shape(num_images, canvas_size)
        found = arrays.open(key)
        if found is not None and found.shape == shape and found.dtype == np.uint8:
            return cls(arrays.path_of(key), None)
        if not arrays.make_room(compute_cache_bytes(num_images, canvas_size)):
            raise DataError(
                f"{arrays.folder} has no room for {num_images} pictures of {canvas_size} x {canvas_size} pixels. "
                "Free space on its disk, raise the limit of the cache, or set data.cache=off."
            )
        pending = arrays.begin(key, shape, np.uint8)
        return cls(pending.path, _none_filled(num_images), unfinished=_Unfinished(pending, arrays, key))

    def get(self, row: int) -> Tensor | None:
        """Return a copy of the canvas of a row, or None where it is not filled yet."""
        if self._canvases is None or (self._filled is not None and not self._filled[row]):
            return None
        return torch.from_numpy(np.array(self._canvases[row]))

    def put(self, row: int, canvas: Tensor) -> None:
        """Keep the canvas of a row."""
        if self._canvases is not None and self._filled is not None:
            self._canvases[row] = canvas.numpy()
            self._filled[row] = True

    def keep_if_complete(self) -> None:
        """Give a file that is full its name in the cache, for later runs and loader processes."""
        if self._unfinished is None or self._filled is None or not self._filled.all():
            return
        try:
            self._unfinished.array.commit()
        except OSError as error:
            # Still of use to this run, which has it open.
            logger.warning("decoded pictures could not be kept for later runs: %s", error.strerror or error)
            return
        self._place = self._unfinished.arrays.path_of(self._unfinished.key)
        self._unfinished, self._filled = None, None

    def close(self) -> None:
        """Keep a file that is full, and remove one that is not."""
        self.keep_if_complete()
        if self._unfinished is not None:
            self._unfinished.array.discard()
            self._unfinished = None

    def __reduce__(self) -> tuple[type["PictureCache"], tuple[Tensor | Path, Tensor | None]]:
        """Rebuild in a spawned loader process from shared memory or the path of the file."""
        return type(self), (self._place, self._filled)


def build_picture_cache(
    choice: CachePlace,
    table: ImageTable,
    preprocess: Preprocess,
    *,
    canvas_size: int,
    workers: int,
    arrays: ArrayCache,
    max_pixels: int = MAX_PIXELS,
    decodes_whole: bool = False,
) -> PictureCache | None:
    """Build the cache of the pictures of a table, or None for `off`.

    Raises:
        DataError: The disk has no room for it.
        OSError: It cannot be written.
    """
    if choice == "off":
        return None
    if choice == "memory":
        return PictureCache.in_memory(len(table), canvas_size, shared=workers > 0)
    key = compute_cache_key(
        table, preprocess, canvas_size=canvas_size, max_pixels=max_pixels, decodes_whole=decodes_whole
    )
    return PictureCache.on_disk(arrays, key, len(table), canvas_size)


def compute_cache_bytes(num_images: int, canvas_size: int) -> int:
    """Return the size of all canvases."""
    return num_images * 3 * canvas_size**2


def compute_cache_key(
    table: ImageTable,
    preprocess: Preprocess,
    *,
    canvas_size: int,
    max_pixels: int = MAX_PIXELS,
    decodes_whole: bool = False,
) -> str:
    """Return a key of all that canvases depend on: files, rules of decoding and fitting, size, version of Pillow."""
    facts = {
        "pictures": fingerprint_pictures(table),
        "preprocess": preprocess.to_dict(),
        "decode": DECODE_RULES,
        "canvas_size": canvas_size,
        "max_pixels": max_pixels,
        "decodes_whole": decodes_whole,
        "pillow": PIL.__version__,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def fingerprint_pictures(table: ImageTable) -> str:
    """Return a hash of the pictures in their order: path, size and time of change of files, pixels of arrays."""
    digest = hashlib.sha256()
    for path, place in zip(table.frame["path"], table.frame["array_index"], strict=True):
        if table.arrays is not None and place >= 0:
            digest.update(hash_picture(table.arrays, place))
        else:
            digest.update(f"{_describe_file(path)}\n".encode())
    return digest.hexdigest()


def _describe_file(path: str) -> str:
    try:
        status = stat_picture(path)
    except (OSError, ValueError):
        return f"{path} missing"
    return f"{Path(path).absolute()} {status.size_bytes} {status.mtime_ns}"


def _shape(num_images: int, canvas_size: int) -> tuple[int, int, int, int]:
    return num_images, 3, canvas_size, canvas_size


def _none_filled(num_images: int) -> Tensor:
    return _share(torch.zeros(num_images, dtype=torch.bool))


def _share(tensor: Tensor) -> Tensor:
    """Return it in memory that loader processes see as well."""
    return tensor.share_memory_()  # type: ignore[no-untyped-call, no-any-return]


def _view(place: Tensor | Path, *, writable: bool) -> npt.NDArray[np.uint8] | None:
    """Return canvases (N, 3, C, C) where they lie; None for a file that was removed meanwhile to make room."""
    if isinstance(place, Tensor):
        return place.numpy()
    try:
        return np.lib.format.open_memmap(place, "r+" if writable else "r")
    except FileNotFoundError:
        return None
