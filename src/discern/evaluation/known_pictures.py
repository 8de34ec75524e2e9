"""Which of the evaluated pictures a run was trained on, or chosen by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.data.cache.array_cache import ArrayCache
from discern.data.duplicates.fingerprints import Fingerprints, compute_fingerprints
from discern.data.duplicates.matching import find_duplicates
from discern.data.moved import find_pictures
from discern.data.stored_pictures import is_picture_there
from discern.data.table import ImageTable, build_table
from discern.run_folder import RunFolder

KNOWN_SPLITS = ("train", "validation")
"""The splits whose pictures a classifier is not new to: it was fitted to the first and chosen by the second."""


def load_known_pictures(run: Path, bank: pd.DataFrame | None, data: str | Path | None = None) -> pd.DataFrame:
    """Return id, path and split of the pictures that a run was trained on or chosen by.

    They are those of its split.csv; where there is none that can be read, as for a bundle alone, the training pictures
    that its feature bank names (`bank`, with id and path), if it has one. What is not there any more is looked for
    below `data`.
    """
    try:
        frame = pd.read_csv(RunFolder(run).split, dtype="str", keep_default_na=False)[["id", "path", "split"]]
        frame["path"] = find_pictures(frame["path"].tolist(), RunFolder(run).read_data_root(), data)
    except (OSError, ValueError, KeyError):
        named = pd.DataFrame({"id": [], "path": []}, dtype="str") if bank is None else bank[["id", "path"]]
        return named.assign(split="train")
    return frame[frame["split"].isin(KNOWN_SPLITS)].reset_index(drop=True)


def find_known(
    pictures: ImageTable, known: pd.DataFrame, cache: ArrayCache | None, *, max_pixels: int
) -> tuple[NDArray[np.object_], int]:
    """Return for each of N pictures the split of the run that has it ("" where none has), and how many were compared.

    Pictures are the same if their files or their content are, whatever their names: see `find_duplicates`. Of the known
    ones only those that are still there can be compared.
    """
    splits = np.full(len(pictures), "", dtype=object)
    there = known[[bool(path) and is_picture_there(path) for path in known["path"]]].reset_index(drop=True)
    if there.empty:
        return splits, 0
    table = build_table(
        {"id": [str(row) for row in range(len(there))], "path": there["path"].tolist()}, source="the run"
    )
    table = replace(table, depth_range=pictures.depth_range)
    parts = [compute_fingerprints(one, cache, max_pixels=max_pixels).records for one in (table, pictures)]
    clusters = find_duplicates(Fingerprints(np.concatenate(parts), ())).clusters
    of_run, of_pictures = clusters[: len(there)], clusters[len(there) :]
    for split in reversed(KNOWN_SPLITS):
        seen = of_run[(there["split"] == split).to_numpy() & (of_run >= 0)]
        splits[np.isin(of_pictures, seen)] = split
    return splits, len(there)
