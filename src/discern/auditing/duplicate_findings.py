"""Findings about copies: within a class, with different labels, and on different sides of the split."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.auditing.findings import Finding, Item, ItemBuilder, build_finding
from discern.data.duplicates.clusters import number_clusters
from discern.data.duplicates.matching import Duplicates
from discern.data.table import SPLITS, ImageTable, natural_sort

Rows = npt.NDArray[np.int64]

_LEAKS = (
    "The classifier has seen such a picture before, so the scores of its split are too good. The copies in train are "
    "proposed to be dropped (or in validation, where the other is in test), so that what is reported on stays."
)
_CONFLICTS = (
    "At most one of the labels is right, so every answer counts as wrong at least once. Equal files are proposed to be "
    "dropped, all of them; to keep one, remove its row in fixes.csv. Pictures that only look the same are proposed to "
    "be grouped, so that they stay on one side of a split; which label is right a person must decide: add a row with "
    "relabel and the label, or drop."
)
_EXACT = "The same file is there several times: it counts more than once in training and in scores. One is enough."
_NEAR = (
    "The same photo, saved, resized, cropped or mirrored again, or taken a moment later. They are kept on one side of "
    "a split that is made here (data.group_duplicates); in a split of your own, keep them together."
)


def find_duplicate_findings(table: ImageTable, duplicates: Duplicates) -> list[Finding]:
    """Return findings for pictures that are there more than once; items are clusters.

    A cluster on two sides of the user's split is a leak, one with two labels a conflict, and it may be both. Of the
    others, equal files of a class and side are exact duplicates, and all other clusters near-duplicates.
    """
    clusters = _Clusters(table, duplicates)
    return [
        *build_finding("leaks", "error", "the same picture on two sides of the split", _LEAKS, clusters.list_leaks()),
        *build_finding(
            "conflicting_labels",
            "error",
            "the same picture with different labels",
            _CONFLICTS,
            clusters.list_conflicts(),
        ),
        *build_finding(
            "exact_duplicates", "warning", "equal files within a class", _EXACT, clusters.list_exact_copies()
        ),
        *build_finding(
            "near_duplicates", "note", "nearly equal pictures within a class", _NEAR, clusters.list_near_copies()
        ),
    ]


class _Clusters:
    """Clusters of rows, with their ids, labels and splits."""

    def __init__(self, table: ImageTable, duplicates: Duplicates) -> None:
        self._items = ItemBuilder(table)
        self._ids = table.frame["id"].to_numpy(dtype=object)
        self._labels = table.frame["label"].fillna("").to_numpy(dtype=object)
        self._splits = table.frame["split"].fillna("").to_numpy(dtype=object)
        self._duplicates = duplicates
        self._clusters = [self._sort(rows) for rows in duplicates.list_clusters()]
        self._contents = number_clusters(duplicates.pairs[duplicates.is_exact], len(table))
        self._similarity = self._find_min_similarity()

    def list_leaks(self) -> Iterator[Item]:
        for rows in self._clusters:
            sides = [split for split in SPLITS if split in set(self._splits[rows])]
            if len(sides) > 1:
                others = rows[self._splits[rows] != sides[-1]]
                detail = f"in {' and '.join(sides)}; {self._describe(rows)}"
                yield self._items.build(rows, detail, score=self._score(rows), action="drop", action_rows=others)

    def list_conflicts(self) -> Iterator[Item]:
        for rows in self._clusters:
            labels = natural_sort(set(self._labels[rows]) - {""})
            if len(labels) > 1:
                equal = [row for row in rows if self._is_contradicted(row, rows)]
                yield self._items.build(
                    rows,
                    f"labelled {' and '.join(labels)}; {self._describe(rows)}",
                    score=self._score(rows),
                    action="drop" if equal else "group",
                    action_rows=equal or rows,
                )

    def list_exact_copies(self) -> Iterator[Item]:
        keys = pd.DataFrame({"content": self._contents, "label": self._labels, "split": self._splits})
        alike = keys[self._contents >= 0].groupby(["content", "label", "split"]).indices
        places = np.flatnonzero(self._contents >= 0)
        for found in alike.values():
            if len(found) > 1:
                rows = self._sort(places[found])
                detail = f"{len(rows)} equal files"
                yield self._items.build(rows, detail, score=float(len(rows)), action="drop", action_rows=rows[1:])

    def list_near_copies(self) -> Iterator[Item]:
        for rows in self._clusters:
            is_one_kind = len(set(self._labels[rows])) == 1 and len(set(self._splits[rows])) == 1
            if is_one_kind and not self._are_equal(rows):
                yield self._items.build(rows, self._describe(rows), score=self._score(rows), action="group")

    def _sort(self, rows: Rows) -> Rows:
        order = natural_sort(self._ids[rows].tolist())
        row_by_id = dict(zip(self._ids[rows], rows, strict=True))
        return np.array([row_by_id[name] for name in order], dtype=np.int64)

    def _are_equal(self, rows: Rows) -> bool:
        contents = set(self._contents[rows].tolist())
        return len(contents) == 1 and contents != {-1}

    def _is_contradicted(self, row: int, rows: Rows) -> bool:
        """Return whether an equal file in the cluster has another label."""
        same = rows[(self._contents[rows] == self._contents[row]) & (self._contents[row] >= 0)]
        return len(set(self._labels[same]) - {""}) > 1

    def _describe(self, rows: Rows) -> str:
        if self._are_equal(rows):
            return f"{len(rows)} equal files"
        return f"{len(rows)} pictures that look the same (similarity {self._score(rows):.2f})"

    def _score(self, rows: Rows) -> float:
        return self._similarity[int(self._duplicates.clusters[rows[0]])]

    def _find_min_similarity(self) -> dict[int, float]:
        """Return the smallest similarity of the pairs of each cluster."""
        cluster_of_pair = self._duplicates.clusters[self._duplicates.pairs[:, 0]]
        smallest = pd.Series(self._duplicates.similarity).groupby(cluster_of_pair).min()
        return {int(cluster): float(value) for cluster, value in smallest.items()}  # type: ignore[call-overload]
