"""Findings about classes whose names differ in writing only."""

import numpy as np

from discern.auditing.findings import Finding, ItemBuilder, build_finding
from discern.counts import count_of
from discern.data.similar_classes import find_similar_classes
from discern.data.table import ImageTable

_EXPLANATION = (
    "They differ in case, blanks, the form of Unicode or that of a number only, and each counts as a class of its own. "
    "The pictures are proposed to be relabelled as the most frequent spelling; remove the rows in fixes.csv where the "
    "classes differ."
)


def find_similar_spellings(table: ImageTable) -> list[Finding]:
    """Return the finding for classes that may be one; an item is a spelling with its pictures."""
    build, labels = ItemBuilder(table).build, table.frame["label"].to_numpy(dtype=object)
    items = []
    for group in find_similar_classes(table):
        (usual, most), *others = group.items()
        for name, count in others:
            rows = np.flatnonzero(labels == name)
            detail = f"{name!r} ({count_of(count, 'picture')}), and {usual!r} ({count_of(most, 'picture')})"
            items.append(build(rows, detail, score=float(count), action="relabel", suggested_label=usual))
    return build_finding("similar_classes", "warning", "classes that may be one", _EXPLANATION, items)
