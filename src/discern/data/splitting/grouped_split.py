"""Splitting where pictures come in groups (a patient, a video, a place) that must stay on one side."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.errors import DataError, list_some


def assign_groups(frame: pd.DataFrame, fractions: tuple[float, float, float], seed: int) -> npt.NDArray[np.int64]:
    """Return the place in SPLITS of each row of a frame that is sorted by id, whole groups at a time.

    Groups are taken from the largest to the smallest, in an order that the seed decides among equals; each goes to the
    split in which the group's classes lack most pictures. Afterwards a class that train lacks is given its
    largest group. A picture without a group is a group of its own.
    """
    lone = frame["id"][frame["group"].isna()]
    group_of_row, _ = pd.factorize(frame["group"].fillna("\0" + lone), sort=True)
    class_of_row, class_names = pd.factorize(frame["label"], sort=True)
    pairs, pictures = np.unique(group_of_row * len(class_names) + class_of_row, return_counts=True)
    counts = _Counts(*np.divmod(pairs, len(class_names)), pictures)
    place_of_group = _place_groups(counts, np.array(fractions), np.random.default_rng(seed))
    is_trained = place_of_group[counts.groups] == 0
    for missing in np.setdiff1d(counts.classes, counts.classes[is_trained]):
        of_class = np.flatnonzero(counts.classes == missing)
        place_of_group[counts.groups[of_class[pictures[of_class].argmax()]]] = 0
    return place_of_group[group_of_row]


def check_groups(frame: pd.DataFrame, source: str) -> None:
    """Check that no group is on two sides of the user's own split.

    Raises:
        DataError: Some are; all are listed.
    """
    sides = frame[["group", "split"]].dropna().drop_duplicates().sort_values(["group", "split"])
    splits = sides[sides["group"].duplicated(keep=False)].groupby("group")["split"].agg(", ".join)
    torn = [f"{group}: {found}" for group, found in splits.items()]
    if torn:
        raise DataError(
            f"{source}: groups on more than one side of the split:\n{list_some(torn)}\n"
            "Scores on such a split are too good. Move each group to one side, or leave the splitting to discern."
        )


class _Counts(NamedTuple):
    """How many pictures a group has of a class, for each pair that occurs, sorted by group: three times (P,)."""

    groups: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    pictures: npt.NDArray[np.int64]


def _place_groups(
    counts: _Counts, fractions: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Place groups into splits (G,)."""
    totals = np.bincount(counts.classes, weights=counts.pictures)
    needed = np.outer(fractions, totals)
    weights = counts.pictures / totals[counts.classes]
    sizes = np.bincount(counts.groups, weights=counts.pictures)
    shuffled = rng.permutation(len(sizes))
    by_size = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    starts = np.searchsorted(counts.groups, np.arange(len(sizes) + 1))
    places = np.zeros(len(sizes), dtype=np.int64)
    for group in by_size:
        pairs = slice(starts[group], starts[group + 1])
        classes = counts.classes[pairs]
        lack = (needed[:, classes] @ weights[pairs]).round(9)  # so that a tie is one on every machine
        places[group] = np.where(fractions > 0, lack, -np.inf).argmax()
        needed[places[group], classes] -= counts.pictures[pairs]
    return places
