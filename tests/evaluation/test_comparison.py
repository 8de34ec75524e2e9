"""Two classifiers on the same pictures: by hand, against slow loops, and the same from both sides."""

from math import comb

import numpy as np
import pandas as pd
import pytest

from discern.errors import DataError
from discern.evaluation.comparison import (
    PairedPredictions,
    compare_pairs,
    compute_mcnemar,
    pair_predictions,
)
from discern.evaluation.intervals import exact_interval
from discern.evaluation.predictions import Predictions

NAMES = np.array(["ant", "bee", "cow"], dtype=object)


def make_answers(ids: list[str], true: list[str], predicted: list[str], source: str = "x.csv") -> Predictions:
    frame = pd.DataFrame({"id": ids, "path": "", "split": "test", "true": true, "predicted": predicted})
    frame["confidence"] = np.linspace(0.9, 0.5, len(ids))
    return Predictions(frame, np.zeros((len(ids), 0)), ("ant", "bee"), source)


def draw_pairs(count: int, rate_a: float, rate_b: float, seed: int = 0) -> PairedPredictions:
    """Draw pictures of three classes that A and B get right with these rates, independently."""
    rng = np.random.default_rng(seed)
    true = rng.integers(3, size=count)

    def answer(rate: float) -> list[str]:
        return list(NAMES[np.where(rng.random(count) < rate, true, (true + 1) % 3)])

    ids = [f"{place:05}" for place in range(count)]
    a, b = answer(rate_a), answer(rate_b)
    return pair_predictions(make_answers(ids, list(NAMES[true]), a), make_answers(ids, list(NAMES[true]), b))


def turn(pairs: PairedPredictions) -> PairedPredictions:
    """Exchange A and B."""
    names = {}
    for what in ("predicted", "confidence"):
        names |= {f"{what}_a": f"{what}_b", f"{what}_b": f"{what}_a"}
    return PairedPredictions(pairs.frame.rename(columns=names), pairs.only_in_b, pairs.only_in_a)


def mcnemar_by_hand(only_a: int, only_b: int) -> float:
    """Add up the outcomes of fair coins that are no likelier than this one."""
    total = only_a + only_b
    ways = [comb(total, heads) for heads in range(total + 1)]
    return sum(way for way in ways if way <= ways[only_a]) / 2**total


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 1), (1, 5), (8, 2), (10, 10), (0, 6), (31, 12)])
def test_mcnemar_adds_up_coins(only_a: int, only_b: int) -> None:
    assert compute_mcnemar(only_a, only_b) == pytest.approx(mcnemar_by_hand(only_a, only_b))
    assert compute_mcnemar(only_b, only_a) == pytest.approx(compute_mcnemar(only_a, only_b))


def test_mcnemar_of_published_values() -> None:
    assert compute_mcnemar(0, 5) == pytest.approx(0.0625)
    assert compute_mcnemar(0, 6) == pytest.approx(0.03125)
    assert compute_mcnemar(0, 0) == 1


def test_accuracies_and_counts_by_hand() -> None:
    ids = list("abcdef")
    true = ["ant", "ant", "ant", "bee", "bee", "bee"]
    a = make_answers(ids, true, ["ant", "ant", "bee", "bee", "ant", "ant"])
    b = make_answers(ids, true, ["ant", "bee", "ant", "bee", "bee", "ant"])
    comparison = compare_pairs(pair_predictions(a, b))
    assert comparison.count == 6
    assert comparison.accuracy_a == exact_interval(3, 6)
    assert comparison.accuracy_b == exact_interval(4, 6)
    assert (comparison.only_a_right, comparison.only_b_right) == (1, 2)
    assert comparison.difference.value == pytest.approx(1 / 6)
    assert comparison.p_value == 1


@pytest.mark.parametrize("seed", range(5))
def test_exchanging_a_and_b_turns_the_sign(seed: int) -> None:
    pairs = draw_pairs(80, 0.75, 0.85, seed)
    comparison, turned = compare_pairs(pairs), compare_pairs(turn(pairs))
    assert turned.accuracy_a == comparison.accuracy_b
    assert (turned.only_a_right, turned.only_b_right) == (comparison.only_b_right, comparison.only_a_right)
    assert turned.p_value == pytest.approx(comparison.p_value)
    value, low, high = comparison.difference
    assert turned.difference == pytest.approx((-value, -high, -low), abs=1e-9)


def test_equally_good_classifiers_are_told_apart_as_seldom_as_promised() -> None:
    told_apart = sum(compare_pairs(draw_pairs(100, 0.8, 0.8, seed)).is_decided for seed in range(80))
    assert told_apart <= 80 * 0.05 + 3


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ((0.5, 0.9), r"^B is better by \d+\.\d points \[\d+\.\d, \d+\.\d\]; only A is right on \d+ pictures, only"),
        ((0.9, 0.5), r"^A is better by \d+\.\d points \[\d+\.\d, \d+\.\d\]; .*McNemar's exact test: p = "),
        ((0.8, 0.8), r"^not distinguishable: B differs from A by [+-]\d\.\d points \[-\d+\.\d, \d+\.\d\]; only A is"),
        ((1.0, 1.0), r"^not distinguishable: A and B are right and wrong on the same pictures$"),
    ],
)
def test_the_verdict_is_in_words(rates: tuple[float, float], expected: str) -> None:
    comparison = compare_pairs(draw_pairs(200, *rates))
    assert pd.Series([comparison.verdict]).str.contains(expected).all(), comparison.verdict
    assert comparison.is_decided == ("better" in expected)
    assert comparison.model_dump()["verdict"] == comparison.verdict


def test_few_pictures_decide_nothing_however_one_sided() -> None:
    ids, true = list("abcde"), ["ant"] * 5
    pairs = pair_predictions(make_answers(ids, true, ["bee"] * 5), make_answers(ids, true, ["ant"] * 5))
    assert not compare_pairs(pairs).is_decided


def test_equal_answers_leave_a_difference_possible() -> None:
    ids, true = list("abcdef"), ["ant"] * 6
    comparison = compare_pairs(pair_predictions(make_answers(ids, true, true), make_answers(ids, true, true)))
    value, low, high = comparison.difference
    assert value == 0
    assert low == -high < -0.2


@pytest.mark.parametrize(("count", "rates"), [(8, (0.9, 0.95)), (40, (0.97, 0.97)), (120, (0.7, 0.85))])
def test_the_difference_is_contained_as_often_as_promised(count: int, rates: tuple[float, float]) -> None:
    found = [compare_pairs(draw_pairs(count, *rates, seed)).difference for seed in range(60)]
    assert np.mean([one.low <= rates[1] - rates[0] <= one.high for one in found]) >= 0.9
    assert all(one.low < one.value < one.high for one in found)


def test_pictures_are_joined_by_id_and_the_others_counted() -> None:
    a = make_answers(["1", "2", "3", "4"], ["ant", "bee", "ant", "bee"], ["ant"] * 4)
    b = make_answers(["4", "9", "2"], ["bee", "bee", "bee"], ["bee", "ant", "bee"])
    pairs = pair_predictions(a, b)
    assert pairs.frame["id"].tolist() == ["2", "4"]
    assert (pairs.only_in_a, pairs.only_in_b) == (2, 1)
    assert pairs.is_correct("a").tolist() == [False, False]
    assert pairs.is_correct("b").tolist() == [True, True]


def test_disagreements_begin_with_the_most_confident_wrong_answer() -> None:
    ids, true = ["1", "2", "3", "4"], ["ant", "ant", "ant", "bee"]
    a = make_answers(ids, true, ["ant", "bee", "cow", "bee"])
    b = make_answers(ids, true, ["bee", "ant", "bee", "bee"])
    a.frame["confidence"] = [0.99, 0.6, 0.3, 1.0]
    b.frame["confidence"] = [0.5, 0.98, 0.7, 1.0]
    rows = pair_predictions(a, b).find_disagreements()
    assert rows["id"].tolist() == ["3", "2", "1"]
    assert list(rows) == ["id", "path", "true", "predicted_a", "confidence_a", "predicted_b", "confidence_b"]


def test_nothing_in_common_is_told_with_examples() -> None:
    a = make_answers(["red/1.png"], ["ant"], ["ant"], "a.csv")
    b = make_answers(["1"], ["ant"], ["ant"], "b.csv")
    with pytest.raises(DataError, match=r"in both: a\.csv has ids such as 'red/1\.png', b\.csv such as '1'"):
        pair_predictions(a, b)


def test_different_labels_for_a_picture_are_listed() -> None:
    a = make_answers(["1", "2", "3"], ["ant", "bee", "ant"], ["ant"] * 3, "a.csv")
    b = make_answers(["3", "2", "1"], ["bee", "bee", "bee"], ["ant"] * 3, "b.csv")
    with pytest.raises(DataError, match=r"one in a\.csv and another in b\.csv:\n  1: 'ant' and 'bee'\n  3: 'ant' and"):
        pair_predictions(a, b)


def test_classes_are_joined_by_value_and_spelt_as_the_first_run_does():
    a = make_answers(["p", "q", "r"], ["1", "2", "2"], ["1", "1", "2"], "a.csv")
    b = make_answers(["p", "q", "r"], ["1.0", "2.0", "2.0"], ["1.0", "2.0", "1.0"], "b.csv")
    pairs = pair_predictions(a, b)
    assert pairs.frame["predicted_b"].tolist() == ["1", "2", "1"]
    assert list(pairs.find_disagreements()["id"]) == ["q", "r"]
