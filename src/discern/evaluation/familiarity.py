"""Whether a picture is similar to those that were trained on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.intervals import Interval, score_interval

UNFAMILIAR = "unlike the training pictures"
MAX_FALSE_ALARMS = 0.01
"""Largest share of pictures of the usual kind that may count as unfamiliar."""


class Separation(NamedTuple):
    """How well similarities separate pictures of another kind from those of the usual kind.

    `auroc` (0..1, 0.5 by chance) is the probability that of two pictures, one of each kind, the usual one is the more
    similar; `found` is the share of the others that counts as unfamiliar, `false_alarms` that of the usual ones.
    """

    auroc: Interval
    found: float
    false_alarms: float


class Familiarity(NamedTuple):
    """How familiar N pictures are, 0..1, and which of them are at the limit or below it: unlike those trained on."""

    values: NDArray[np.float64]
    is_unfamiliar: NDArray[np.bool_]

    def to_columns(self) -> dict[str, NDArray[np.generic]]:
        """Return the columns `familiarity` and `unfamiliar` of a table of answers."""
        return {"familiarity": self.values, "unfamiliar": self.is_unfamiliar}


def describe_familiarity(familiarity: float, *, is_unfamiliar: bool) -> str:
    """Return how familiar a picture is, for people."""
    return f"familiarity {familiarity:.2g}{f': {UNFAMILIAR}' if is_unfamiliar else ''}"


def compute_familiarity(similarities: NDArray[np.floating], reference: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the familiarity (N,), 0..1, of similarities (N,), given those of V reference pictures, not trained on.

    It is a conformal p-value: of new pictures of the same kind, at most a share p gets a familiarity of p or less.

    Source: Bates et al., "Testing for outliers with conformal p-values", 2023, https://arxiv.org/abs/2104.08279.
    """
    at_most = np.searchsorted(np.sort(reference), similarities, side="right")
    return np.asarray((at_most + 1) / (len(reference) + 1))


def are_unfamiliar(familiarity: NDArray[np.floating], reference_count: int) -> NDArray[np.bool_]:
    """Return which pictures (N,) are unlike those trained on: as rare as 1 in 100 of the reference, or beyond it.

    The second holds for a reference below 100 pictures, which cannot show how rare 1 in 100 is.
    """
    return np.asarray(familiarity <= find_limit(reference_count))


def find_limit(reference_count: int) -> float:
    """Return the familiarity, 0..1, at or below which pictures are unlike those trained on; it is also their share."""
    return max(MAX_FALSE_ALARMS, 1 / (reference_count + 1))


def compute_separation(
    usual: NDArray[np.floating], other: NDArray[np.floating], reference: NDArray[np.floating]
) -> Separation:
    """Compare similarities of the usual kind of pictures (N,) with those of another kind (M,)."""
    from sklearn.metrics import roc_auc_score

    targets = np.repeat([1, 0], [len(usual), len(other)])
    auroc = float(roc_auc_score(targets, np.concatenate([usual, other])))
    unfamiliar = [
        float(are_unfamiliar(compute_familiarity(values, reference), len(reference)).mean())
        for values in (other, usual)
    ]
    return Separation(
        score_interval(auroc, _estimate_variance(usual, other), 2 * min(len(usual), len(other))), *unfamiliar
    )


def _estimate_variance(usual: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the variance of the area under the curve.

    Source: DeLong et al., "Comparing the areas under two or more correlated receiver operating characteristic curves",
    1988: the area is a mean over the pictures of one kind of the shares of the other kind that lie below them.
    """
    shares = _share_below(usual, other), _share_below(other, usual)
    return float(sum(one.var(ddof=1) / len(one) for one in shares if len(one) > 1))


def _share_below(values: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return for each value the share of the others that is smaller, equal ones counting half."""
    ordered = np.sort(others)
    below, up_to = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((below + up_to) / (2 * len(others)))
