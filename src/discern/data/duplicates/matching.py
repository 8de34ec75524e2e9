"""Finds pictures that occur more than once: the same file, or the same photo saved again, resized or cropped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discern.data.duplicates.clusters import list_members, number_clusters
from discern.data.duplicates.fingerprints import Fingerprints, Records
from discern.data.duplicates.perceptual_hash import VIEWS, View
from discern.data.duplicates.similar_pairs import find_similar

MIN_CONTRAST = 4.0
"""Below it, in levels of 255, a picture is of one colour, and looks like every other such picture."""

MIN_SIDE_PIXELS = 32
"""A smaller picture, such as of a digit, has too little detail to distinguish equal from similar."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which pictures show the same.

    `pairs` (P, 2) are rows of the table, `similarity` (P,) is 1 for equal files and otherwise the correlation of their
    detail, 0..1. `clusters` (N,) is a number for every row that is connected by pairs with another, -1 for all others;
    `is_exact` (P,) is true for equal files. Of equal files each is paired with the first only.
    """

    pairs: Rows
    similarity: npt.NDArray[np.float32]
    is_exact: npt.NDArray[np.bool_]
    clusters: Rows

    def list_clusters(self) -> list[Rows]:
        """Return the rows of each cluster, ascending; clusters by their first row."""
        return list_members(self.clusters)


def find_duplicates(
    fingerprints: Fingerprints, *, candidates: Rows | None = None, candidate_views: Sequence[View] = VIEWS
) -> Duplicates:
    """Find equal and nearly equal pictures; what is found does not depend on the order of rows.

    Candidates have perceptual hashes that differ in few bits, or are given in addition as pairs (P, 2) of rows, which
    are compared in all `candidate_views`. They are duplicates when one, at 32 x 32 pixels and slightly moved, explains
    the other, both in fine detail and in coarse colours. Pictures without contrast and tiny ones are only
    compared by content. Where very many pictures are alike, only so many pairs are found as connect them.
    """
    records = fingerprints.records
    usable = np.flatnonzero(fingerprints.is_usable)
    # In the order of contents, so that whatever depends on an order does not depend on that of files.
    usable = usable[np.lexsort((records["size_bytes"][usable], records["content"][usable]))]
    exact, first = _pair_equal(records, usable)
    distinct = np.unique(first)
    distinct = usable[np.isin(usable, distinct)]
    distinct = distinct[_has_content(records[distinct])]
    near, similarity = _pair_similar(records, distinct, candidates, candidate_views)
    pairs = np.sort(np.concatenate([exact, near]), axis=1)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return Duplicates(
        pairs[order],
        np.concatenate([np.ones(len(exact), np.float32), similarity])[order],
        (np.arange(len(pairs)) < len(exact))[order],
        number_clusters(pairs, len(records)),
    )


def _has_content(records: Records) -> npt.NDArray[np.bool_]:
    shorter_side = np.minimum(records["width_pixels"], records["height_pixels"])
    contrast = records["grey"].std(axis=(1, 2)) if len(records) else np.zeros(0)
    return np.asarray((shorter_side >= MIN_SIDE_PIXELS) & (contrast >= MIN_CONTRAST))


def _pair_equal(records: Records, usable: Rows) -> tuple[Rows, Rows]:
    """Pair each file with the first of equal content, given rows sorted by content; return that first one, too."""
    contents = records[["content", "size_bytes"]][usable]
    is_new = np.ones(len(usable), np.bool_)
    is_new[1:] = contents[1:] != contents[:-1]
    starts = np.flatnonzero(is_new)
    sizes = np.diff([*starts, len(usable)])
    first = np.repeat(np.minimum.reduceat(usable, starts), sizes) if len(usable) else usable
    is_copy = usable != first
    return np.stack([first[is_copy], usable[is_copy]], axis=1), first


def _pair_similar(
    records: Records, rows: Rows, candidates: Rows | None, candidate_views: Sequence[View]
) -> tuple[Rows, npt.NDArray[np.float32]]:
    """Return confirmed pairs of rows and how similar they are, each pair once."""
    given = _find_places(candidates, rows, len(records))
    places, similarity = find_similar(records["grey"][rows], records["colour"][rows], given, candidate_views)
    return rows[places], similarity


def _find_places(candidates: Rows | None, rows: Rows, count: int) -> Rows:
    """Return pairs of rows as pairs of places in `rows`, both ways round; those with others are left out."""
    if candidates is None:
        return np.zeros((0, 2), np.int64)
    place_of_row = np.full(count, -1, np.int64)
    place_of_row[rows] = np.arange(len(rows))
    places = place_of_row[candidates]
    places = places[(places >= 0).all(axis=1)]
    return np.unique(np.concatenate([places, places[:, ::-1]]), axis=0)
