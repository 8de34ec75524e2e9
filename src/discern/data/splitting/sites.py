"""Sites: the values of a column, such as a camera, a clinic or a year, of which one is held out at a time."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.splitting.folds import NO_FOLD, hold_out
from discern.data.splitting.split import Fractions
from discern.data.table import ImageTable, natural_sort
from discern.errors import DataError, name_some, option

Sites = npt.NDArray[np.object_]
"""The site (N,) of each picture; "" where it is not known, and then it is never held out."""

_HELD_OUT, _OTHERS = 1, 2


class SiteSplit(NamedTuple):
    """A site as the test split, with the pictures of all other sites as train and validation.

    `missing_classes` are those of its classes that no other site has, so that they cannot be learned; `left_out` are
    the ids of their pictures, which are not in the table.
    """

    table: ImageTable
    missing_classes: tuple[str, ...]
    left_out: tuple[str, ...]


def find_sites(table: ImageTable, known: "pd.Series[str]", *, column: str, max_sites: int) -> Sites:
    """Return the site of each picture of a table, from the sites by id.

    Raises:
        DataError: There are fewer than two sites, or more than `max_sites`, each of which would take a training.
    """
    sites = known.reindex(table.frame["id"]).fillna("").to_numpy(dtype=object)
    names = list_sites(sites)
    if len(names) < 2:
        found = f"only {names[0]!r}" if names else "no value"
        raise DataError(f"{table.source}: the column {column!r} has {found}; to leave one out takes two sites or more")
    if len(names) > max_sites:
        raise DataError(
            f"{table.source}: the column {column!r} has {len(names)} values ({name_some(names, shown=3)}), and each "
            f"takes a training; at most {max_sites} are accepted. Name a coarser column, or allow more by ",
            option("max_sites", len(names)),
        )
    return sites


def list_sites(sites: Sites) -> tuple[str, ...]:
    """Return the names of the sites in natural order."""
    return natural_sort({str(name) for name in sites} - {""})


def hold_out_site(table: ImageTable, sites: Sites, name: str, *, fractions: Fractions, seed: int) -> SiteSplit:
    """Return a site as test, and the other pictures divided into train and validation, as `hold_out` does.

    Raises:
        DataError: No class of this site is anywhere else, the others have one class only, or a group is on both sides.
    """
    labels, is_here = table.frame["label"], sites == name
    missing = natural_sort(set(labels[is_here]) - set(labels[~is_here]))
    is_missing = labels.isin(missing).to_numpy()
    if (is_missing | ~is_here).all():
        raise DataError(f"none of its classes is at another site: {name_some(missing)}")
    parts = np.where(is_here, _HELD_OUT, _OTHERS)
    parts[is_missing] = NO_FOLD
    table_without = replace(table, class_names=natural_sort(labels[~is_missing].unique()))
    held_out = hold_out(table_without, parts, _HELD_OUT, fractions=fractions, seed=seed)
    return SiteSplit(held_out, missing, tuple(table.frame["id"][is_missing]))
