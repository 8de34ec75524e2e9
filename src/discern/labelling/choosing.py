"""Which pictures to ask about next, so that the head learns much from few."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans, MiniBatchKMeans

Numbers = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.int64]

_AT_ONCE = 20
_NEIGHBOURS = 20
_CANDIDATES = 2000
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


def choose_informative(points: Numbers, left: Rows, learnt: Rows, doubts: Numbers, strength: float) -> list[int]:
    """Return rows of those that are left (L,) which tell most about the head, given what is learnt and each other.

    A picture tells much if the head is in doubt about it, if it is unlike what is learnt, and if many pictures about
    which the head is in doubt are like it: it takes most from the variance of the head's answers over all pictures.
    The next best follow, for people who answer faster than the head is solved.

    Source: the greedy choice by Fisher information of Ash et al., "Gone fishing: neural active learning with Fisher
    embeddings", 2021, https://arxiv.org/abs/2106.09675; here with one matrix for all classes, which takes a second.

    Args:
        points: Of all pictures (G, D).
        left: Rows to choose from.
        learnt: Rows that the head has learnt from.
        doubts: For all pictures (G,) how far the head's answer is from being sure: the variance of its class.
        strength: The inverse regularisation of the head.
    """
    if not len(left):
        return []
    known, doubted = points[learnt], strength * doubts[learnt][:, None]
    covariance = np.linalg.inv(np.eye(points.shape[1]) + (known * doubted).T @ known)
    information = (points * doubts[:, None]).T @ points / len(points)
    gains = _compute_gains(points[left], strength * doubts[left], covariance, information)
    by_gain = np.argsort(-gains, kind="stable")[:_CANDIDATES]
    some, weights = points[left[by_gain]], strength * doubts[left[by_gain]]
    chosen: list[int] = []
    for _ in range(min(_AT_ONCE, len(some))):
        gains = _compute_gains(some, weights, covariance, information)
        gains[chosen] = -np.inf
        best = int(gains.argmax())
        chosen.append(best)
        spread = covariance @ some[best]
        covariance -= np.outer(spread, spread) * weights[best] / (1 + weights[best] * some[best] @ spread)
    rest = np.setdiff1d(np.arange(min(_QUEUE, len(some))), chosen)
    ordered: list[int] = left[by_gain[[*chosen, *rest]]].tolist()
    return ordered


def _compute_gains(points: Numbers, weights: Numbers, covariance: Numbers, information: Numbers) -> Numbers:
    """Return by how much each of N points would lower the variance, the trace of covariance times information."""
    spread = points @ covariance
    gains = weights * ((spread @ information) * spread).sum(axis=1)
    return np.asarray(gains / (1 + weights * (spread * points).sum(axis=1)))


def _cluster(points: Numbers, number: int, seed: int) -> npt.NDArray[np.int64]:
    kind = KMeans if len(points) < _MANY_POINTS else MiniBatchKMeans
    model = kind(number, n_init=1, max_iter=_ITERATIONS, random_state=seed).fit(points)
    return np.asarray(model.labels_, dtype=np.int64)


def _find_densest(points: Numbers, members: Rows) -> int:
    """Return the member whose nearest others are nearest; of very many, among some of them."""
    members = members[:: -(-len(members) // _MANY_POINTS)]
    squares = (points[members] ** 2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * points[members] @ points[members].T, 0)
    count = min(_NEIGHBOURS, len(members) - 1)
    nearest = np.sort(distances, axis=1)[:, 1 : count + 1] if count else distances
    return int(members[nearest.mean(axis=1).argmin()])
