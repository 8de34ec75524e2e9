"""The fingerprint of every picture: whether it can be used, what it is like, and how it differs from others."""

import hashlib
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.data.cache.array_cache import ArrayCache
from discern.data.duplicates.fingerprint_store import FingerprintStore
from discern.data.picture_arrays import PictureArrays
from discern.data.reading.decode import MAX_PIXELS, Inspection, inspect_image, read_file
from discern.data.reading.decode_array import decode_array
from discern.data.reading.deep_pixels import DepthRange
from discern.data.table import ImageTable
from discern.errors import BadImageError, ImageProblem

GREY_SIDE = 32
COLOUR_SIDE = 4
_DECODED_PIXELS = 128
_FILES_AT_ONCE = 50
_MAX_THREADS = 32

RECORD = np.dtype(
    [
        ("content", np.uint64),
        ("size_bytes", np.int64),
        ("width_pixels", np.int32),
        ("height_pixels", np.int32),
        ("orientation", np.int8),
        ("is_animated", np.bool_),
        ("format", "S8"),
        ("mode", "S8"),
        ("brightness", np.float32),
        ("contrast", np.float32),
        ("sharpness", np.float32),
        ("grey", np.uint8, (GREY_SIDE, GREY_SIDE)),
        ("colour", np.uint8, (COLOUR_SIDE, COLOUR_SIDE, 3)),
    ]
)
"""What is known of a picture.

`content` is a hash of the file's bytes, or of the pixels of an array; 0 for a picture that cannot be used. Width and
height are those of the upright picture. `brightness` and `contrast` are mean and standard deviation of its grey values,
0..255. `sharpness` is the standard deviation of its Laplacian divided by `contrast`, with the
shorter side at `_DECODED_PIXELS`, or its own if that is less: how sharp it is for a network, not for a large screen.
`grey` and `colour` are the picture made square, very small.
"""

Records = npt.NDArray[np.void]


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """Records of the type `RECORD` (N,) for the rows of a table, and the pictures that cannot be used."""

    records: Records
    problems: tuple[ImageProblem, ...]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def is_usable(self) -> npt.NDArray[np.bool_]:
        """Which rows (N,) could be decoded."""
        return np.asarray(self.records["size_bytes"] >= 0)

    def take(self, rows: npt.NDArray[np.int64]) -> "Fingerprints":
        """Return those of these rows, all of which can be used."""
        return Fingerprints(self.records[rows], ())


class _Part(NamedTuple):
    rows: npt.NDArray[np.int64]
    records: Records
    problems: list[ImageProblem]


def compute_fingerprints(
    table: ImageTable, cache: ArrayCache | None = None, *, max_pixels: int = MAX_PIXELS, threads: int | None = None
) -> Fingerprints:
    """Decode every picture of a table once, small, in several threads; problems are in the order of the table.

    Files that are in the cache, unchanged in size and time, are not read again.
    """
    records = np.zeros(len(table), RECORD)
    paths = table.frame["path"].tolist()
    store = FingerprintStore(cache, paths, RECORD, reading=(max_pixels, table.depth_range))
    found, rows = store.load()
    records[rows] = found
    missing = np.setdiff1d(np.arange(len(table)), rows)
    parts = np.array_split(missing, -(-len(missing) // _FILES_AT_ONCE)) if len(missing) else []

    def compute(part: npt.NDArray[np.int64]) -> _Part:
        return _compute_part(table, part, max_pixels)

    problems = []
    with warnings.catch_warnings(), ThreadPoolExecutor(threads or min(_MAX_THREADS, 2 * _count_cpus())) as pool:
        warnings.simplefilter("ignore")  # our own rules decide what is a problem
        for done in pool.map(compute, parts):
            records[done.rows] = done.records
            problems += done.problems
    fingerprints = Fingerprints(records, tuple(problems))
    store.save(records, np.flatnonzero(fingerprints.is_usable))
    return fingerprints


def _compute_part(table: ImageTable, rows: npt.NDArray[np.int64], max_pixels: int) -> _Part:
    records, problems = np.zeros(len(rows), RECORD), []
    for place, (path, index) in enumerate(_list_places(table, rows)):
        try:
            if table.arrays is not None and index >= 0:
                _describe_array(records[place], table.arrays, index, max_pixels, table.depth_range)
            else:
                _describe_file(records[place], path, max_pixels, table.depth_range)
        except BadImageError as error:
            records[place] = np.zeros((), RECORD)
            records[place]["size_bytes"] = -1
            problems.append(ImageProblem(error.path, error.reason))
    return _Part(rows, records, problems)


def _list_places(table: ImageTable, rows: npt.NDArray[np.int64]) -> Iterator[tuple[str, int]]:
    frame = table.frame.iloc[rows]
    return zip(frame["path"].tolist(), frame["array_index"].tolist(), strict=True)


def _describe_file(record: np.void, path: str, max_pixels: int, depth_range: DepthRange | None) -> None:
    content = read_file(path)
    seen = inspect_image(content, name=path, covering=_needed_size, max_pixels=max_pixels, depth_range=depth_range)
    record["content"], record["size_bytes"] = _hash(content), len(content)
    _describe_header(record, seen)
    _describe_pixels(record, seen.image)


def _describe_array(
    record: np.void, arrays: PictureArrays, index: int, max_pixels: int, depth_range: DepthRange | None
) -> None:
    image = decode_array(arrays, index, max_pixels=max_pixels, depth_range=depth_range)
    pixels = np.asarray(image)
    record["content"], record["size_bytes"] = _hash(np.ascontiguousarray(pixels).data), pixels.nbytes
    record["height_pixels"], record["width_pixels"] = pixels.shape[:2]
    record["orientation"], record["format"], record["mode"] = 1, b"", image.mode.encode()
    _describe_pixels(record, image)


def _describe_header(record: np.void, seen: Inspection) -> None:
    width, height = seen.header.width_pixels, seen.header.height_pixels
    # Orientations 5 to 8 are turned by a quarter.
    record["width_pixels"], record["height_pixels"] = (height, width) if seen.orientation >= 5 else (width, height)
    record["orientation"], record["is_animated"] = seen.orientation, seen.is_animated
    record["format"], record["mode"] = seen.header.format.encode(), seen.header.mode.encode()


def _describe_pixels(record: np.void, image: Image.Image) -> None:
    shrink = min(1.0, _DECODED_PIXELS / min(image.size))
    size = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
    small = image.resize(size, Image.Resampling.BOX) if shrink < 1 else image
    grey = np.asarray(small.convert("L"), dtype=np.float32)
    contrast = float(grey.std())
    record["brightness"], record["contrast"] = grey.mean(), contrast
    record["sharpness"] = _compute_laplacian(grey).std() / max(contrast, 1.0)
    square = small.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BILINEAR)
    record["grey"] = np.asarray(square.convert("L"))
    record["colour"] = np.asarray(square.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX))


def _compute_laplacian(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return how far each inner pixel is from the mean of its four neighbours, times 4."""
    if min(grey.shape) < 3:
        return np.zeros((1, 1), np.float32)
    inner = grey[1:-1, 1:-1]
    return np.asarray(4 * inner - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:])


def _needed_size(width: int, height: int) -> tuple[int, int]:
    scale = _DECODED_PIXELS / max(1, min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _hash(content: bytes | memoryview) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _count_cpus() -> int:
    return os.cpu_count() or 1
