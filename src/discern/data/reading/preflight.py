"""All pictures looked at before training, so that a bad file costs seconds and not an epoch."""

import csv
import io
import os
import warnings
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from discern.data.reading.decode import MAX_PIXELS, decode_image, read_header
from discern.data.table import ImageTable
from discern.errors import BadImageError, ImageProblem
from discern.files import write_atomically

Verify = Literal["header", "full"]
_MOST_THREADS = 32
_FILES_AT_ONCE = 100


def check_images(
    table: ImageTable, *, verify: Verify = "header", max_pixels: int = MAX_PIXELS, threads: int | None = None
) -> list[ImageProblem]:
    """Look at every file of a table and return those that cannot be used, in the order of the table.

    `header` finds missing files, unsupported types and pictures that are too large; `full` decodes every pixel and
    finds damaged and truncated files as well. Pictures in memory are not looked at.
    """

    def check(path: str) -> ImageProblem | None:
        try:
            if verify == "full":
                decode_image(path, max_pixels=max_pixels)
            else:
                read_header(path, max_pixels=max_pixels)
        except BadImageError as error:
            return ImageProblem(error.path, error.reason)
        return None

    def check_all(paths: list[str]) -> list[ImageProblem]:
        return [problem for problem in map(check, paths) if problem is not None]

    paths = [path for path in table.frame["path"].tolist() if path]
    parts = [paths[start : start + _FILES_AT_ONCE] for start in range(0, len(paths), _FILES_AT_ONCE)]
    workers = threads or min(_MOST_THREADS, 2 * (os.cpu_count() or 1))
    with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
        warnings.simplefilter("ignore")  # what Pillow warns of is a problem or none, by our own rules
        return [problem for problems in pool.map(check_all, parts) for problem in problems]


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
    return table.take(np.flatnonzero(~table.frame["path"].isin(bad).to_numpy()))
