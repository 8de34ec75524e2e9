"""A check of all pictures before training, so that a bad file is found in seconds and not after an epoch."""

import csv
import io
import os
import warnings
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from pathlib import Path
from typing import Literal

import numpy as np

from discern.data.reading.decode import MAX_PIXELS, decode_image, read_header
from discern.data.reading.decode_array import decode_array
from discern.data.table import ImageTable
from discern.errors import BadImageError, ImageProblem
from discern.files import write_atomically

Verify = Literal["header", "full"]
_MAX_THREADS = 32
_FILES_AT_ONCE = 100


def check_images(
    table: ImageTable, *, verify: Verify = "header", max_pixels: int = MAX_PIXELS, threads: int | None = None
) -> list[ImageProblem]:
    """Check every file of a table and return those that cannot be used, in the order of the table.

    `header` finds missing files, unsupported types and pictures that are too large; `full` decodes every pixel and
    finds damaged and truncated files as well, and pictures that a dataset cannot give. Of pictures in memory, those of
    more than 8 bits are checked.
    """

    def check(path: str, index: int) -> ImageProblem | None:
        try:
            if table.arrays is not None and index >= 0:
                decode_array(table.arrays, index, max_pixels=max_pixels, depth_range=table.depth_range)
            elif verify == "full":
                decode_image(path, max_pixels=max_pixels, depth_range=table.depth_range)
            else:
                read_header(path, max_pixels=max_pixels)
        except BadImageError as error:
            return ImageProblem(error.path, error.reason)
        return None

    def check_all(part: list[tuple[str, int]]) -> list[ImageProblem]:
        return [problem for problem in starmap(check, part) if problem is not None]

    reads_arrays = verify == "full" and not table.is_in_memory
    places = zip(table.frame["path"].tolist(), table.frame["array_index"].tolist(), strict=True)
    checked = [(path, index) for path, index in places if index < 0 or reads_arrays or _is_deep(table, index)]
    parts = [checked[start : start + _FILES_AT_ONCE] for start in range(0, len(checked), _FILES_AT_ONCE)]
    workers = threads or min(_MAX_THREADS, 2 * (os.cpu_count() or 1))
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # our own rules decide what is a problem
        return [problem for problems in pool.map(check_all, parts) for problem in problems]


def _is_deep(table: ImageTable, index: int) -> bool:
    return table.is_in_memory and table.arrays is not None and table.arrays[index].dtype != np.uint8


def save_bad_files(problems: Collection[ImageProblem], path: Path) -> None:
    """Write the problems as CSV with the columns `path` and `reason`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(ImageProblem._fields)
    writer.writerows(problems)
    write_atomically(path, text.getvalue())


def drop_images(table: ImageTable, problems: Collection[ImageProblem]) -> ImageTable:
    """Return the table without the pictures that have a problem; its classes stay."""
    bad = {problem.path for problem in problems}
    return table.take(np.flatnonzero([name not in bad for name in table.list_names()]))
