"""Headline numbers against scikit-learn, and what no oracle covers: ties, absent classes, refusals."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as oracle

from discern.errors import ConfigError, DataError
from discern.evaluation.intervals import exact_interval
from discern.evaluation.metrics import Metrics, compute_metrics, load_metrics, save_metrics

SHAPES = [(60, 2), (90, 3), (200, 6), (300, 100)]


def make_scores(count: int, num_classes: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw targets and probabilities that are right more often than not."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(num_classes, size=count)
    logits = rng.normal(size=(count, num_classes))
    logits[np.arange(count), targets] += 2
    probabilities = np.exp(logits)
    return targets, probabilities / probabilities.sum(axis=1, keepdims=True)


def name_classes(num_classes: int) -> list[str]:
    return [f"class {index}" for index in range(num_classes)]


@pytest.mark.parametrize(("count", "num_classes"), SHAPES)
def test_values_agree_with_scikit_learn(count: int, num_classes: int) -> None:
    targets, probabilities = make_scores(count, num_classes)
    predictions = probabilities.argmax(axis=1)
    metrics = compute_metrics(targets, probabilities, name_classes(num_classes))
    present = np.union1d(targets, predictions)
    recalls = oracle.recall_score(targets, predictions, labels=np.unique(targets), average=None, zero_division=0)
    loss = oracle.log_loss(targets, probabilities, labels=np.arange(num_classes))
    f1 = oracle.f1_score(targets, predictions, labels=present, average="macro", zero_division=0)
    assert metrics.count == count
    assert metrics.accuracy.value == oracle.accuracy_score(targets, predictions)
    assert metrics.macro_f1.value == pytest.approx(f1)
    assert metrics.weighted_f1.value == pytest.approx(
        oracle.f1_score(targets, predictions, average="weighted", zero_division=0)
    )
    assert metrics.balanced_accuracy.value == pytest.approx(recalls.mean())
    assert metrics.loss.value == pytest.approx(loss)


@pytest.mark.parametrize(("num_classes", "k"), [(3, 2), (5, 4), (6, 5), (100, 5)])
def test_top_k_agrees_with_scikit_learn(num_classes: int, k: int) -> None:
    targets, probabilities = make_scores(150, num_classes)
    top_k = compute_metrics(targets, probabilities, name_classes(num_classes)).top_k
    expected = oracle.top_k_accuracy_score(targets, probabilities, k=k, labels=np.arange(num_classes))
    assert top_k.k == k
    assert top_k.value == pytest.approx(expected)


def test_two_classes_have_no_top_k() -> None:
    assert compute_metrics(*make_scores(20, 2), name_classes(2)).top_k is None


@pytest.mark.parametrize(("count", "num_classes"), SHAPES)
def test_the_brier_score_agrees_with_scikit_learn(count: int, num_classes: int) -> None:
    targets, probabilities = make_scores(count, num_classes)
    brier = compute_metrics(targets, probabilities, name_classes(num_classes)).brier.value
    expected = oracle.brier_score_loss(targets, probabilities, labels=np.arange(num_classes), scale_by_half=False)
    assert brier == pytest.approx(expected)
    if num_classes == 2:
        assert brier == pytest.approx(2 * oracle.brier_score_loss(targets, probabilities[:, 1]))


def test_two_classes_have_the_ranking_scores_of_the_second() -> None:
    targets, probabilities = make_scores(80, 2)
    metrics = compute_metrics(targets, probabilities, name_classes(2))
    assert metrics.roc_auc.value == pytest.approx(oracle.roc_auc_score(targets, probabilities[:, 1]))
    expected = oracle.average_precision_score(targets, probabilities[:, 1])
    assert metrics.average_precision.value == pytest.approx(expected)
    assert metrics.average_precision.low < expected < metrics.average_precision.high


def test_ranking_scores_are_left_out_where_they_say_nothing() -> None:
    only_one = compute_metrics(np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]), ["a", "b"])
    three = compute_metrics(*make_scores(40, 3), name_classes(3))
    for metrics in (only_one, three):
        assert not {"roc_auc", "average_precision"} & metrics.model_dump().keys()
        assert metrics.roc_auc is metrics.average_precision is None


def test_weighted_f1_counts_pictures_and_macro_f1_classes() -> None:
    """Nine of ten pictures are of the class that is easy."""
    targets = np.repeat([0, 1], [9, 1])
    metrics = compute_metrics(targets, np.tile([0.9, 0.1], (10, 1)), ["easy", "hard"])
    easy = 2 * 9 / (10 + 9)
    assert metrics.weighted_f1.value == pytest.approx(0.9 * easy)
    assert metrics.macro_f1.value == pytest.approx(easy / 2)


def test_the_confused_pairs_are_in_the_metrics_by_name() -> None:
    targets, predictions = np.array([0, 0, 1, 2, 2]), np.array([1, 1, 0, 2, 0])
    pairs = compute_metrics(targets, np.eye(3)[predictions], ["ant", "bee", "cow"]).confused_pairs
    assert [pair.model_dump() for pair in pairs] == [
        {"first": "ant", "second": "bee", "first_as_second": 2, "second_as_first": 1},
        {"first": "ant", "second": "cow", "first_as_second": 0, "second_as_first": 1},
    ]


@pytest.mark.parametrize(("count", "num_classes"), SHAPES)
def test_every_interval_holds_its_value_and_the_whole_is_json(count: int, num_classes: int) -> None:
    metrics = compute_metrics(*make_scores(count, num_classes), name_classes(num_classes))
    content = json.loads(json.dumps(metrics.model_dump()))
    assert Metrics.model_validate(content) == metrics
    intervals = [entry for entry in content.values() if isinstance(entry, dict)]
    assert len(intervals) == (9 if num_classes == 2 else 8)
    for interval in intervals:
        assert interval["low"] <= interval["value"] <= interval["high"]
        assert interval["low"] < interval["high"]


def test_accuracy_carries_the_exact_interval() -> None:
    targets, probabilities = make_scores(80, 4)
    accuracy = compute_metrics(targets, probabilities, name_classes(4)).accuracy
    hits = int((probabilities.argmax(axis=1) == targets).sum())
    assert accuracy == exact_interval(hits, 80)


def test_averages_are_over_samples() -> None:
    parts = [make_scores(30, 3, seed=1), make_scores(7, 3, seed=2)]
    losses = [compute_metrics(*part, name_classes(3)).loss.value for part in parts]
    targets, probabilities = (np.concatenate(halves) for halves in zip(*parts, strict=True))
    whole = compute_metrics(targets, probabilities, name_classes(3))
    assert whole.loss.value == pytest.approx((30 * losses[0] + 7 * losses[1]) / 37)


def test_the_order_of_pictures_does_not_matter_to_the_values() -> None:
    targets, probabilities = make_scores(70, 4)
    order = np.random.default_rng(5).permutation(70)
    straight = compute_metrics(targets, probabilities, name_classes(4))
    shuffled = compute_metrics(targets[order], probabilities[order], name_classes(4))
    for key in ("accuracy", "macro_f1", "balanced_accuracy", "top_k"):
        assert getattr(straight, key) == getattr(shuffled, key)
    assert straight.loss.value == pytest.approx(shuffled.loss.value)


def test_a_seed_repeats_the_intervals() -> None:
    scores, names = make_scores(50, 3), name_classes(3)
    assert compute_metrics(*scores, names, seed=4) == compute_metrics(*scores, names, seed=4)
    assert compute_metrics(*scores, names, seed=4).macro_f1 != compute_metrics(*scores, names, seed=5).macro_f1


def test_absent_classes_are_named_and_kept_out_of_the_averages() -> None:
    targets = np.array([0, 0, 1, 1])
    probabilities = np.eye(4)[[0, 0, 1, 2]]
    metrics = compute_metrics(targets, probabilities, ["a", "b", "c", "d"])
    assert metrics.classes_absent == ("c", "d")
    assert metrics.balanced_accuracy.value == pytest.approx(3 / 4)
    assert metrics.macro_f1.value == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_ties_earn_nothing() -> None:
    targets = np.repeat(np.arange(10), 10)
    metrics = compute_metrics(targets, np.full((100, 10), 0.1), name_classes(10))
    assert metrics.accuracy.value == 0.1
    assert metrics.top_k.value == 0.5
    assert metrics.loss.value == pytest.approx(np.log(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_probability_of_zero_costs_much_but_not_infinitely(dtype: type[np.floating]) -> None:
    probabilities = np.array([[1, 0], [1, 0]], dtype=dtype)
    metrics = compute_metrics(np.array([0, 1]), probabilities, ["a", "b"])
    assert metrics.loss.value == pytest.approx(87.3365 / 2, abs=1e-3)


def test_one_picture_a_class_is_enough() -> None:
    metrics = compute_metrics(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]), ["a", "b"])
    assert metrics.accuracy.value == metrics.macro_f1.value == 1.0
    assert metrics.accuracy.low < 0.5


@pytest.mark.parametrize(
    ("targets", "probabilities", "names", "message"),
    [
        ([0, -1], np.full((2, 2), 0.5), ["a", "b"], r"0\.\.1, got -1\.\.0; leave unlabelled"),
        ([0, 2], np.full((2, 2), 0.5), ["a", "b"], r"0\.\.1, got 0\.\.2"),
        ([0, 1], np.full((2, 3), 0.5), ["a", "b"], r"probabilities \(2, 2\), got \(2, 3\)"),
        ([0, 1], np.full((3, 2), 0.5), ["a", "b"], r"probabilities \(2, 2\), got \(3, 2\)"),
        ([0, 1], np.array([[0.5, np.nan], [0.5, 0.5]]), ["a", "b"], "finite probabilities"),
        ([0, 1], np.array([[3.0, -1.0], [0.5, 0.5]]), ["a", "b"], "were logits passed"),
        ([], np.zeros((0, 2)), ["a", "b"], "N >= 1"),
        ([0, 0], np.ones((2, 1)), ["a"], "at least two class names, got 1"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    targets: list[int], probabilities: NDArray[np.float64], names: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compute_metrics(np.array(targets, dtype=np.int64), probabilities, names)


def test_metrics_are_read_as_they_were_written(tmp_path: Path) -> None:
    metrics = {
        "validation": compute_metrics(*make_scores(40, 2), name_classes(2)),
        "test": compute_metrics(*make_scores(40, 5), name_classes(5), custom={"half": lambda *_: 0.5}),
    }
    save_metrics(metrics, str(tmp_path / "metrics.json"))
    assert load_metrics(str(tmp_path / "metrics.json")) == metrics
    content = json.loads((tmp_path / "metrics.json").read_text())
    accuracy = metrics["test"].accuracy
    assert content["test"]["accuracy"] == {"value": accuracy.value, "low": accuracy.low, "high": accuracy.high}
    assert content["test"]["custom"] == {"half": 0.5}
    assert not {"top_k", "custom"} & content["validation"].keys()
    assert not {"roc_auc", "average_precision"} & content["test"].keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"metrics\.json: not readable as metrics \(.*No such file.*\)\. Evaluate again"),
        ("[1, 2", "not readable as metrics"),
        ("3", r"\(all of it: Input should be a valid dictionary"),
        ('{"test": {"count": 3, "accuracy": {"value": 1}}}', r"\(test\.accuracy\.low: Field required\)"),
    ],
)
def test_a_damaged_file_of_metrics_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(DataError, match=message):
        load_metrics(tmp_path / "metrics.json")


def test_functions_of_the_user_are_metrics_too(caplog: pytest.LogCaptureFixture) -> None:
    targets, probabilities = make_scores(60, 3)

    def count_hits(targets: NDArray[np.int64], probabilities: NDArray[np.float64]) -> np.integer:
        probabilities[:] = probabilities.argmax(axis=1)[:, None]
        return (probabilities[:, 0] == targets).sum()

    def fail_to_divide(*_: object) -> float:
        return float("nan")

    custom = {"hits": count_hits, "kappa": lambda t, p: oracle.cohen_kappa_score(t, p.argmax(axis=1))}
    metrics = compute_metrics(targets, probabilities, name_classes(3), custom=custom)
    assert metrics.custom["hits"] == round(metrics.accuracy.value * 60)
    assert metrics.custom["kappa"] == pytest.approx(oracle.cohen_kappa_score(targets, probabilities.argmax(axis=1)))
    assert f"hits {metrics.custom['hits']:.0f}, " in metrics.describe()
    assert repr(metrics) == f"<Metrics: {metrics.describe()}>"
    assert f"<td>{metrics.custom['hits']:.0f}</td>" in metrics._repr_html_()
    with caplog.at_level(logging.WARNING, logger="discern"):
        assert compute_metrics(targets, probabilities, name_classes(3), custom={"odd": fail_to_divide}).custom == {}
    assert "the metric 'odd' is nan on these 60 pictures and left out" in caplog.text


def test_a_metric_that_returns_no_number_is_named() -> None:
    with pytest.raises(ConfigError, match=r"the metric 'odd' returned \[1, 2\]; expected one number"):
        compute_metrics(*make_scores(20, 2), name_classes(2), custom={"odd": lambda *_: [1, 2]})
