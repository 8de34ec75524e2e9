"""Pictures that are no files: arrays in memory, and pictures that are read only when they are needed."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.generic]
"""One picture, uint8 (H, W, 3) or of more than 8 bits as it is stored, or many of one size (N, H, W, 3)."""


class PictureArrays(Protocol):
    """Pictures by index: one array uint8 (N, H, W, 3), a tuple of arrays, or `LazyPictures`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pixels: ...


class LazyPictures(Sequence[Pixels]):
    """Pictures of one or several sources in a row, each read when it is asked for and never kept.

    The hash of a picture is kept, since it takes reading the picture.
    """

    def __init__(self, parts: Sequence[PictureArrays]) -> None:
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in self._parts], dtype=np.int64)
        self._hashes: dict[int, bytes] = {}

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Pixels:  # type: ignore[override]
        """Read one picture.

        Raises:
            BadImageError: It cannot be read.
        """
        place = int(np.searchsorted(self._ends, index, side="right"))
        start = int(self._ends[place - 1]) if place else 0
        return self._parts[place][index - start]

    def __iter__(self) -> Iterator[Pixels]:
        return chain.from_iterable(self._parts)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[type["LazyPictures"], tuple[tuple[PictureArrays, ...]]]:
        """Rebuild in a loader process from the parts alone; hashes are not needed there."""
        return type(self), (self._parts,)

    def hash_at(self, index: int) -> bytes:
        """Return the hash of one picture, read once for it."""
        if index not in self._hashes:
            self._hashes[index] = _hash(self[index])
        return self._hashes[index]


def hash_picture(arrays: PictureArrays, index: int) -> bytes:
    """Return a hash of the shape and the pixels of one picture.

    Raises:
        BadImageError: It cannot be read.
    """
    return arrays.hash_at(index) if isinstance(arrays, LazyPictures) else _hash(arrays[index])


def name_picture(index: int) -> str:
    """Return what a picture that is no file is called in messages."""
    return f"picture {index} in memory"


def join_arrays(parts: Sequence[PictureArrays]) -> PictureArrays | None:
    """Return the pictures of several sources in a row; None where there are none."""
    filled = [part for part in parts if len(part)]
    if any(isinstance(part, LazyPictures) for part in filled):
        return LazyPictures(filled)
    return tuple(picture for part in filled for picture in part) or None  # type: ignore[attr-defined]


def _hash(pixels: Pixels) -> bytes:
    return hashlib.sha256(f"{pixels.shape} ".encode() + pixels.tobytes()).digest()
