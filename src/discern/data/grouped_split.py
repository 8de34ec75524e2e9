"""Splitting where pictures come in groups (a patient, a video, a place) that must stay on one side."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.table import list_some
from discern.errors import DataError


def assign_groups(frame: pd.DataFrame, fractions: tuple[float, float, float], seed: int) -> npt.NDArray[np.int64]:
    """Return the place in SPLITS of each row of a frame that is sorted by id, whole groups at a time.

    Groups are taken from the largest to the smallest, in an order that the seed decides among equals; each goes to the
    split that lacks most of what the group's classes still need. Afterwards a class that train lacks is given its
    largest group. A picture without a group is a group of its own.
    """
    keys = np.where(frame["group"].isna(), "\0" + frame["id"], frame["group"])
    _, group_of_row = np.unique(keys.astype(str), return_inverse=True)
    class_names, class_of_row = np.unique(frame["label"].to_numpy(dtype=str), return_inverse=True)
    counts = np.zeros((group_of_row.max() + 1, len(class_names)))
    np.add.at(counts, (group_of_row, class_of_row), 1)
    place_of_group = _place_groups(counts, np.array(fractions), np.random.default_rng(seed))
    for missing in np.flatnonzero(counts[place_of_group == 0].sum(axis=0) == 0):
        place_of_group[counts[:, missing].argmax()] = 0
    return place_of_group[group_of_row]


def check_groups(frame: pd.DataFrame, source: str) -> None:
    """Check that no group is on two sides of the user's own split.

    Raises:
        DataError: Some are; all are listed.
    """
    splits = frame.groupby("group")["split"].agg(lambda column: ", ".join(sorted(set(column))))
    torn = [f"{group}: {found}" for group, found in splits.items() if ", " in found]
    if torn:
        raise DataError(
            f"{source}: groups on more than one side of the split:\n{list_some(torn)}\n"
            "Scores on such a split are too good. Move each group to one side, or leave the splitting to discern."
        )


def _place_groups(
    counts: npt.NDArray[np.float64], fractions: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Place groups, given as pictures by class (G, K), into splits (G,)."""
    totals = counts.sum(axis=0)
    needed = np.outer(fractions, totals)
    weights = counts / totals
    shuffled = rng.permutation(len(counts))
    by_size = shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]
    places = np.zeros(len(counts), dtype=np.int64)
    for group in by_size:
        lack = np.where(fractions > 0, needed @ weights[group], -np.inf)
        places[group] = lack.argmax()
        needed[places[group]] -= counts[group]
    return places
