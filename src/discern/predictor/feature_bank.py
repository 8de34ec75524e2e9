"""The feature bank: features of training pictures, to compare new pictures with."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor
from torch.nn import functional

_NEAREST = 5
"""The similarity to so many nearest training pictures says how familiar a picture is."""
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class FeatureBank:
    """Features of training pictures, and which pictures they are.

    `features` (M, F) are of length 1; `frame` has their id, path and label, one row per picture.
    """

    features: npt.NDArray[np.floating]
    frame: pd.DataFrame

    def find_nearest(
        self, features: npt.NDArray[np.floating], count: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Return the cosine similarities (N, k), -1..1, and rows (N, k) of the pictures most like features (N, F).

        The most similar come first; k is `count`, or M if that is less.
        """
        known = self.features.astype(np.float32, copy=False)
        wanted = normalise(features)
        kept = min(count, len(known))
        similarities, rows = [], []
        for start in range(0, len(wanted), _ROWS_AT_ONCE):
            products = wanted[start : start + _ROWS_AT_ONCE] @ known.T
            nearest = np.sort(np.argpartition(-products, kept - 1, axis=1)[:, :kept], axis=1)
            near = np.take_along_axis(products, nearest, axis=1)
            order = np.argsort(-near, axis=1, kind="stable")
            rows.append(np.take_along_axis(nearest, order, axis=1))
            similarities.append(np.take_along_axis(near, order, axis=1))
        if not rows:
            return np.empty((0, kept), np.float32), np.empty((0, kept), np.int64)
        return np.concatenate(similarities), np.concatenate(rows)

    def measure_similarity(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return how similar each of features (N, F) is to the training pictures: the similarity of the fifth nearest.

        Source: Sun et al., "Out-of-distribution detection with deep nearest neighbors", 2022,
        https://arxiv.org/abs/2204.06507; the k-th nearest of normalised features, with a small k, since classes here
        may have few pictures.
        """
        similarities, _ = self.find_nearest(features, _NEAREST)
        return similarities[:, -1].astype(np.float64)


def measure_similarity(features: Tensor, known: Tensor) -> Tensor:
    """Return what `FeatureBank.measure_similarity` gives (N,) for features (N, F) and known ones (M, F) of length 1.

    It is computed batch by batch where the network computes, so that features need not be kept.
    """
    similarities = functional.normalize(features, dim=1) @ known.T
    return similarities.topk(min(_NEAREST, len(known)), dim=1).values[:, -1]


def build_feature_bank(features: npt.NDArray[np.floating], frame: pd.DataFrame) -> FeatureBank:
    """Build the feature bank of the pictures of `frame` (id, path, label) from their features (M, F)."""
    kept = frame[["id", "path", "label"]].reset_index(drop=True)
    return FeatureBank(normalise(features).astype(np.float16), kept)


def choose_bank_rows(targets: npt.NDArray[np.int64], max_pictures: int, *, seed: int) -> npt.NDArray[np.int64]:
    """Return up to `max_pictures` rows, in order: all, or as equal a number of each class (N,) as there are."""
    if len(targets) <= max_pictures:
        return np.arange(len(targets))
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    place_in_class = pd.Series(shuffled).groupby(targets[shuffled]).cumcount().to_numpy()
    return np.sort(shuffled[np.argsort(place_in_class, kind="stable")[:max_pictures]])


def normalise(features: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return features (N, F) scaled to length 1; zeros stay zeros."""
    values = features.astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12))
