"""Clusters of rows that pairs connect."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Rows = npt.NDArray[np.int64]


def number_clusters(pairs: Rows, count: int) -> Rows:
    """Return the number of the cluster of each of `count` rows, from 0 on by their first rows; -1 for lone ones."""
    edges = (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1]))
    graph = coo_array(edges, shape=(count, count))  # type: ignore[no-untyped-call]
    _, components = connected_components(graph, directed=False)
    is_lone = np.bincount(components, minlength=1)[components] < 2 if count else np.zeros(0, np.bool_)
    clusters = np.full(count, -1, np.int64)
    _, first, inverse = np.unique(components[~is_lone], return_index=True, return_inverse=True)
    clusters[~is_lone] = np.argsort(np.argsort(first))[inverse]
    return clusters


def list_members(clusters: Rows) -> list[Rows]:
    """Return the rows of each cluster number from 0 on, ascending."""
    rows = np.flatnonzero(clusters >= 0)
    order = rows[np.argsort(clusters[rows], kind="stable")]
    if not len(order):
        return []
    return np.split(order, np.flatnonzero(np.diff(clusters[order])) + 1)
