"""Two classifiers on the same pictures: which is better, and whether the difference is significant."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, computed_field
from scipy.stats import binomtest

from discern.counts import count_of
from discern.data.table import parse_split
from discern.errors import DataError, list_some
from discern.evaluation.intervals import SavedInterval, exact_interval
from discern.evaluation.predictions import UNSPLIT, Predictions, spell_classes_as
from discern.evaluation.seed_comparison import estimate_mean

SIGNIFICANCE = 0.05


class Comparison(BaseModel):
    """How two classifiers, A and B, did on the same pictures, as comparison.json holds it.

    `difference` is the accuracy of B minus that of A, -1..1. `p_value` is that of McNemar's test: if both were equally
    good, the probability that the pictures which only one of them gets right divide at least this unevenly.
    """

    model_config = ConfigDict(frozen=True)

    count: int
    accuracy_a: SavedInterval
    accuracy_b: SavedInterval
    difference: SavedInterval
    only_a_right: int
    only_b_right: int
    p_value: float

    @property
    def is_decided(self) -> bool:
        """Whether one is better: both the test and the interval of the difference must show it."""
        return self.p_value < SIGNIFICANCE and (self.difference.low > 0 or self.difference.high < 0)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> str:
        """The result as a sentence; a point is one percent of the pictures."""
        return _describe(self)


class PairedPredictions(NamedTuple):
    """The pictures for which both classifiers have a prediction, by id.

    `frame` has the columns id, path, true, predicted_a, confidence_a, predicted_b and confidence_b; the counts are of
    pictures that only one has, which are left out.
    """

    frame: pd.DataFrame
    only_in_a: int
    only_in_b: int

    def is_correct(self, which: str) -> NDArray[np.bool_]:
        """Return whether `a` or `b` is right, picture by picture (N,)."""
        return np.asarray(self.frame[f"predicted_{which}"] == self.frame["true"], dtype=np.bool_)

    def find_disagreements(self) -> pd.DataFrame:
        """Return the rows where A and B name different classes; the most confident mistakes come first."""
        wrong_a, wrong_b = (np.where(self.is_correct(side), 0.0, self.frame[f"confidence_{side}"]) for side in "ab")
        rows = self.frame.iloc[np.argsort(-np.maximum(wrong_a, wrong_b), kind="stable")]
        return rows[rows["predicted_a"] != rows["predicted_b"]].reset_index(drop=True)


def choose_common_split(a: Predictions, b: Predictions, wanted: str | None) -> str:
    """Return the split to compare on: the wanted one, or else test, validation or any other that both have.

    Predictions without splits can be compared with those of any split; if neither has splits, it is `UNSPLIT`.

    Raises:
        DataError: No split, or not the wanted one, is in both.
    """
    named = [names for names in (set(one.splits) - {UNSPLIT} for one in (a, b)) if names]
    common = set.intersection(*named) if named else {UNSPLIT}
    preferred = ["test", "validation", *sorted(common)] if wanted is None else [parse_split(wanted) or wanted]
    for name in preferred:
        if name in common:
            return name
    problem = "no split is in both" if wanted is None else f"the split {wanted!r} is not in both"
    found = "; ".join(f"{one.source} has {', '.join(one.splits)}" for one in (a, b))
    raise DataError(f"{problem}: {found}.")


def select_split(predictions: Predictions, split: str) -> Predictions:
    """Return the rows of a split, or all where the predictions have no such split."""
    return predictions.select(split) if split in predictions.splits else predictions


def pair_predictions(a: Predictions, b: Predictions) -> PairedPredictions:
    """Join the predictions of two classifiers by the ids of their pictures; classes take the spelling of `a`.

    Raises:
        DataError: They have no picture in common, or pictures with different true classes; all are listed.
    """
    columns = ["id", "path", "true", "predicted", "confidence"]
    b = spell_classes_as(a, b)
    frame = a.frame[columns].merge(b.frame[columns], on="id", suffixes=("_a", "_b")).sort_values("id")
    if frame.empty:
        raise DataError(
            f"no picture is in both: {a.source} has ids such as {a.ids.iloc[0]!r}, {b.source} such as "
            f"{b.ids.iloc[0]!r}. Compare runs on the same data, or evaluate both on the same pictures."
        )
    different = frame[frame["true_a"] != frame["true_b"]]
    if len(different):
        rows = zip(different["id"], different["true_a"], different["true_b"], strict=True)
        listed = list_some([f"{name}: {true_a!r} and {true_b!r}" for name, true_a, true_b in rows])
        raise DataError(
            f"pictures whose true class is one in {a.source} and another in {b.source}:\n{listed}\n"
            "Correct their labels and evaluate both runs again."
        )
    path = frame["path_a"].where(frame["path_a"] != "", frame["path_b"])
    joined = frame.rename(columns={"true_a": "true"}).assign(path=path)
    kept = ["id", "path", "true", "predicted_a", "confidence_a", "predicted_b", "confidence_b"]
    both = len(joined)
    return PairedPredictions(joined[kept].reset_index(drop=True), len(a) - both, len(b) - both)


def compare_pairs(pairs: PairedPredictions) -> Comparison:
    """Compare A and B on the pictures that both have, with 95 % intervals.

    Accuracies carry exact intervals, the difference that of `estimate_mean` for one seed, which is not 0 wide where
    both are right on the same pictures.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages", 1947;
    the exact test, two-sided.
    """
    right_a, right_b = pairs.is_correct("a"), pairs.is_correct("b")
    gains = right_b.astype(np.float64) - right_a
    only_a, only_b = int((gains < 0).sum()), int((gains > 0).sum())
    return Comparison(
        count=len(gains),
        accuracy_a=exact_interval(int(right_a.sum()), len(gains)),
        accuracy_b=exact_interval(int(right_b.sum()), len(gains)),
        difference=estimate_mean(gains[None]),
        only_a_right=only_a,
        only_b_right=only_b,
        p_value=compute_mcnemar(only_a, only_b),
    )


def compute_mcnemar(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p-value for the numbers of pictures that only A, or only B, gets right; 1 for none."""
    if only_a + only_b == 0:
        return 1.0
    return float(binomtest(only_b, only_a + only_b, 0.5).pvalue)


def _describe(comparison: Comparison) -> str:
    only_a, only_b = comparison.only_a_right, comparison.only_b_right
    if only_a + only_b == 0:
        return "not distinguishable: A and B are right and wrong on the same pictures"
    value, low, high = (100 * end for end in comparison.difference)
    counts = f"only A is right on {count_of(only_a, 'picture')}, only B on {only_b}"
    evidence = f"{counts}; McNemar's exact test: p = {comparison.p_value:.2g}"
    if not comparison.is_decided:
        return f"not distinguishable: B differs from A by {value:+.1f} points [{low:.1f}, {high:.1f}]; {evidence}"
    if value > 0:
        return f"B is better by {value:.1f} points [{low:.1f}, {high:.1f}]; {evidence}"
    return f"A is better by {-value:.1f} points [{-high:.1f}, {-low:.1f}]; {evidence}"
