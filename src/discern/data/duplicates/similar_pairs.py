"""Which of many very small pictures show the same photo: close hashes first, then a comparison of each such pair."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.data.duplicates.clusters import number_clusters
from discern.data.duplicates.hash_join import count_different_bits, find_close_hashes
from discern.data.duplicates.perceptual_hash import VIEWS, WHOLE, Hashes, View, compute_hashes
from discern.data.duplicates.picture_match import has_same_colours, match_pictures

MIN_DETAIL = 0.92
"""Of 200 photos each of three sets, saved again, resized, brightened, mirrored or cropped by up to 8 %, 99 in 100 reach
it; of different photos the most alike, cut-out airliners in one livery, reach 0.89."""

MIN_EXPLAINED = 0.88

_MAX_BITS = 12
_MAX_PARTNERS = 32
_CROWD = 16
"""A picture with more candidates in one view than this is in a crowd, and no longer compared with all of them."""
_CROWD_ROUNDS = 4
_MIN_IN_VAIN = 4000
_PAIRS_AT_ONCE = 8192

Pairs = npt.NDArray[np.int64]
Similarity = npt.NDArray[np.float32]
_Small = npt.NDArray[np.uint8]


class _Confirmed(NamedTuple):
    pairs: Pairs
    similarity: Similarity


def find_similar(
    grey: _Small, colour: _Small, given: Pairs, given_views: Sequence[View] = ()
) -> tuple[Pairs, Similarity]:
    """Return the pairs (P, 2) of places that show the same, each once and ascending, and how similar they are.

    Grey pictures are (N, S, S), colours (N, C, C, 3). Candidates have close hashes in one of `VIEWS`; further pairs,
    `given`, are compared in `given_views`. A picture with many candidates is compared with the closest few of them, and
    only with those that no pair connects it to yet: what is alike stays in one cluster, and the work stays bounded.
    In each view at most about as many comparisons are in vain as there are pictures.
    """
    hashes = compute_hashes(grey, WHOLE)
    found: list[_Confirmed] = [_confirm(grey, np.zeros((0, 2), np.int64), WHOLE)]
    for view in dict.fromkeys((*VIEWS, *(given_views if len(given) else ()))):
        if view in VIEWS:
            seen = hashes if view == WHOLE else compute_hashes(grey, view)
            close = find_close_hashes(hashes, seen, max_bits=_MAX_BITS, max_partners=_MAX_PARTNERS)
            ordinary, rounds = _split_crowd(_keep_comparable(colour, close, view), hashes, seen)
            patience = _Patience(len(grey))
            found += [patience.confirm(grey, part, view) for part in _sort_by_closeness(ordinary, hashes, seen)]
            for pairs in rounds:
                found.append(patience.confirm(grey, _leave_out_connected(pairs, found, len(grey)), view))
        if view in given_views:
            found.append(_confirm(grey, _keep_comparable(colour, given, view), view))
    return _join(found, len(grey))


def _keep_comparable(colour: _Small, pairs: Pairs, view: View) -> Pairs:
    """Leave out pairs of other colours and of a picture with itself; seen whole, the order of two does not matter."""
    pairs = pairs[pairs[:, 0] < pairs[:, 1]] if view == WHOLE else pairs[pairs[:, 0] != pairs[:, 1]]
    return pairs[has_same_colours(colour, pairs, view)]


def _split_crowd(pairs: Pairs, hashes: Hashes, seen: Hashes) -> tuple[Pairs, list[Pairs]]:
    """Return the pairs of pictures with few candidates, and the others by closeness: the closest of each, the next."""
    counts = np.bincount(pairs[:, 0], minlength=len(hashes))
    is_crowded = counts[pairs[:, 0]] > _CROWD
    crowded = pairs[is_crowded]
    bits = count_different_bits(hashes[crowded[:, 0]], seen[crowded[:, 1]])
    crowded = crowded[np.lexsort((crowded[:, 1], bits, crowded[:, 0]))]
    starts = np.searchsorted(crowded[:, 0], crowded[:, 0])
    place = np.arange(len(crowded)) - starts
    rounds = [crowded[place == number] for number in range(_CROWD_ROUNDS)]
    return pairs[~is_crowded], [some for some in rounds if len(some)]


def _sort_by_closeness(pairs: Pairs, hashes: Hashes, seen: Hashes) -> list[Pairs]:
    """Return the pairs in parts: the closest of every picture come first, then the next of every picture."""
    if not len(pairs):
        return []
    bits = count_different_bits(hashes[pairs[:, 0]], seen[pairs[:, 1]])
    pairs = pairs[np.lexsort((pairs[:, 1], bits, pairs[:, 0]))]
    place = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
    pairs = pairs[np.argsort(place, kind="stable")]
    return np.array_split(pairs, -(-len(pairs) // _PAIRS_AT_ONCE))


class _Patience:
    """Compares pairs until as many were in vain as there are pictures.

    Blends of few photos look alike to a hash in all ways, and hardly any two show the same: without an end nearly all
    would be compared with all others that are near. In sets of photos a tenth of the pictures has a pair in vain.
    """

    def __init__(self, num_pictures: int) -> None:
        self._left = max(_MIN_IN_VAIN, num_pictures)

    def confirm(self, grey: _Small, pairs: Pairs, view: View) -> _Confirmed:
        """Compare these pairs, or none where there were too many in vain."""
        pairs = pairs if self._left > 0 else pairs[:0]
        found = _confirm(grey, pairs, view)
        self._left -= len(pairs) - len(found.pairs)
        return found


def _leave_out_connected(pairs: Pairs, found: Sequence[_Confirmed], count: int) -> Pairs:
    clusters = number_clusters(np.concatenate([part.pairs for part in found]), count)
    first, second = clusters[pairs[:, 0]], clusters[pairs[:, 1]]
    return np.asarray(pairs[(first != second) | (first < 0)])


def _confirm(grey: _Small, pairs: Pairs, view: View) -> _Confirmed:
    """Return those of the pairs, each ascending, that show the same."""
    match = match_pictures(grey, pairs, view)
    is_same = (match.detail >= MIN_DETAIL) & (match.explained >= MIN_EXPLAINED)
    return _Confirmed(np.sort(pairs[is_same], axis=1), match.detail[is_same])


def _join(found: Sequence[_Confirmed], count: int) -> tuple[Pairs, Similarity]:
    """Return each pair once, with its greatest similarity."""
    pairs = np.concatenate([part.pairs for part in found])
    similarity = np.concatenate([part.similarity for part in found])
    keys = pairs[:, 0] * count + pairs[:, 1]
    order = np.lexsort((-similarity, keys))
    unique, first = np.unique(keys[order], return_index=True)
    return np.stack(np.divmod(unique, max(1, count)), axis=1), np.minimum(similarity[order][first], 1)
