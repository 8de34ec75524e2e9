"""Groups of pictures that stay on one side of a split: the user's own, and those of the same photo."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.duplicates.clusters import list_members, number_clusters
from discern.data.table import ImageTable, natural_sort

Rows = npt.NDArray[np.int64]


def join_groups(table: ImageTable, pairs: Rows) -> ImageTable:
    """Return the table with groups in which each pair (P, 2) of rows is together, and so is what shared a group before.

    Pairs on two sides of the user's own split are left out, since that split stays. A joined group takes the first of
    the names that its pictures had, or else a name made from the first id.
    """
    frame = table.frame
    splits = frame["split"].fillna("").to_numpy(dtype=object)
    pairs = pairs[splits[pairs[:, 0]] == splits[pairs[:, 1]]]
    if not len(pairs):
        return table
    codes, _ = pd.factorize(frame["group"])
    clusters = number_clusters(np.concatenate([pairs, chain_rows(codes)]), len(frame))
    ids, names = frame["id"].tolist(), frame["group"].to_numpy(dtype=object, copy=True)
    for rows in list_members(clusters):
        given = natural_sort({str(name) for name in names[rows] if not pd.isna(name)})
        names[rows] = given[0] if given else f"copies of {natural_sort(ids[row] for row in rows)[0]}"
    return replace(table, frame=frame.assign(group=pd.Series(names, dtype="str")))


def chain_rows(codes: npt.NDArray[np.integer]) -> Rows:
    """Return pairs (P, 2) of rows that connect all rows of one code; a negative code stands for none."""
    rows = np.flatnonzero(codes >= 0)
    order = rows[np.argsort(codes[rows], kind="stable")]
    is_same = codes[order[1:]] == codes[order[:-1]]
    return np.stack([order[:-1][is_same], order[1:][is_same]], axis=1)
