"""Which pictures to ask about next, so that the head learns much from few."""

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans, MiniBatchKMeans

Numbers = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_AT_ONCE = 20
_NEIGHBOURS = 20
_MIN_BATCH, _BATCH_SHARE = 10, 8
_CANDIDATES = 10
_QUEUE = 200
_MANY_POINTS = 3000
_ITERATIONS = 20


def choose_typical(points: Numbers, left: Rows, learnt: Rows, *, seed: int) -> list[int]:
    """Return 20 rows of those that are left (L,), of which each is typical of many others and unlike what is learnt.

    Source: TypiClust of Hacohen et al., "Active learning on a budget", 2022, https://arxiv.org/abs/2202.02794: the
    densest picture of each of the largest clusters of points (G, D) in which none is learnt from.
    """
    if not len(left):
        return []
    rows = np.concatenate([left, learnt])
    number = min(len(rows), len(learnt) + _AT_ONCE)
    clusters = _cluster(points[rows], number, seed)
    is_left = np.arange(len(rows)) < len(left)
    num_learnt = np.bincount(clusters[~is_left], minlength=number)
    order = np.lexsort((-np.bincount(clusters, minlength=number), num_learnt))
    members = (np.flatnonzero((clusters == cluster) & is_left) for cluster in order)
    return [int(rows[_find_densest(points[rows], part)]) for part in members if len(part)][:_AT_ONCE]


def choose_uncertain(
    points: Numbers, left: Rows, margins: npt.NDArray[np.float64], num_learnt: int, *, seed: int
) -> list[int]:
    """Return rows of those that are left (L,), of which the head is uncertain by its margins (L,), unlike each other.

    Of the pictures with the smallest margins, ten times as many as are asked at once, one is taken of each cluster;
    the others follow by margin, for people who answer faster than the head is solved.

    Source: Citovsky et al., "Batch active learning at scale", 2021, https://arxiv.org/abs/2107.14263; by k-means here.
    """
    by_margin = np.argsort(margins, kind="stable")
    batch = max(_MIN_BATCH, num_learnt // _BATCH_SHARE)
    candidates = by_margin[: _CANDIDATES * batch]
    if len(candidates) <= batch:
        return left[by_margin].tolist()
    clusters = _cluster(points[left[candidates]], batch, seed)
    _, first = np.unique(clusters, return_index=True)
    chosen = left[candidates[np.sort(first)]]
    rest = left[by_margin[:_QUEUE]]
    return [*chosen.tolist(), *rest[~np.isin(rest, chosen)].tolist()]


def _cluster(points: Numbers, number: int, seed: int) -> npt.NDArray[np.int64]:
    kind = KMeans if len(points) < _MANY_POINTS else MiniBatchKMeans
    found = kind(number, n_init=1, max_iter=_ITERATIONS, random_state=seed).fit_predict(points)
    return np.asarray(found, dtype=np.int64)


def _find_densest(points: Numbers, members: Rows) -> int:
    """Return the member whose nearest others are nearest; of very many, among some of them."""
    members = members[:: -(-len(members) // _MANY_POINTS)]
    squares = (points[members] ** 2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * points[members] @ points[members].T, 0)
    count = min(_NEIGHBOURS, len(members) - 1)
    nearest = np.sort(distances, axis=1)[:, 1 : count + 1] if count else distances
    return int(members[nearest.mean(axis=1).argmin()])
