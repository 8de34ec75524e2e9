import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from discern.evaluation.familiarity import are_unfamiliar, compute_familiarity, compute_separation


def test_false_alarms_are_as_rare_as_the_familiarity_says():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        reference, new = rng.normal(size=99), rng.normal(size=200)
        shares.append((compute_familiarity(new, reference) <= 0.05).mean())
    assert np.mean(shares) == pytest.approx(0.05, abs=0.005)


def test_one_in_a_hundred_or_beyond_all_of_a_small_reference_is_unfamiliar():
    reference = np.arange(200.0)
    familiarity = compute_familiarity(np.array([-1.0, 0.0, 1.5, 100.0]), reference)
    assert list(are_unfamiliar(familiarity, 200)) == [True, True, False, False]
    few = compute_familiarity(np.array([-1.0, 0.5]), np.arange(10.0))
    assert list(are_unfamiliar(few, 10)) == [True, False]


def test_the_area_is_that_of_scikit_learn_within_an_interval_that_narrows():
    rng = np.random.default_rng(1)
    widths = []
    for count in (50, 800):
        usual, other = rng.normal(1, 1, count), rng.normal(0, 1, count)
        found = compute_separation(usual, other, rng.normal(1, 1, 300))
        targets = np.repeat([1, 0], count)
        assert found.auroc.value == pytest.approx(roc_auc_score(targets, np.concatenate([usual, other])))
        assert found.auroc.low < found.auroc.value < found.auroc.high
        widths.append(found.auroc.high - found.auroc.low)
    assert widths[1] < widths[0] / 2


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    reference = rng.normal(size=100)
    hits = 0
    for _ in range(200):
        auroc = compute_separation(rng.normal(1, 1, 80), rng.normal(0, 1, 60), reference).auroc
        hits += auroc.low <= 0.7602 <= auroc.high  # the true area, of normal distributions one apart
    assert hits >= 0.9 * 200


def test_what_is_found_and_what_is_a_false_alarm_are_counted():
    reference = np.linspace(0, 1, 99)
    found = compute_separation(np.linspace(0.2, 1, 10), np.linspace(-2, 0.5, 10), reference)
    assert found.found == pytest.approx(0.8)
    assert found.false_alarms == 0
