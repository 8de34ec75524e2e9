"""A part of a table: one in which every class has its share, or one that is drawn at random."""

import numpy as np
from sklearn.model_selection import train_test_split

from discern.data.table import ImageTable


def sample_table(table: ImageTable, size: int | None, *, seed: int) -> ImageTable:
    """Return so many rows of a labelled table, in their order; all of them where `size` is None or not smaller.

    Classes keep their shares, and each keeps at least one picture.
    """
    if size is None or size >= len(table):
        return table
    targets = table.targets()
    _, first_of_class = np.unique(targets, return_index=True)
    rest = np.setdiff1d(np.arange(len(table)), first_of_class)
    wanted = size - len(first_of_class)
    if wanted <= 0:
        return table.take(np.sort(first_of_class))
    counts = np.bincount(targets[rest])
    can_stratify = counts[counts > 0].min() > 1 and min(wanted, len(rest) - wanted) >= np.count_nonzero(counts)
    chosen, _ = train_test_split(
        rest, train_size=wanted, random_state=seed, stratify=targets[rest] if can_stratify else None
    )
    return table.take(np.sort(np.concatenate([first_of_class, chosen])))


def draw_sample(table: ImageTable, size: int, *, seed: int) -> ImageTable:
    """Return so many rows, drawn at random with the same chance for each, in the order in which they were drawn.

    The outcome depends on the seed and the ids, not on the order of rows, and a smaller sample is the beginning of a
    larger one.
    """
    order = np.argsort(table.frame["id"].to_numpy(dtype=object), kind="stable")
    return table.take(order[np.random.default_rng(seed).permutation(len(table))[:size]])
