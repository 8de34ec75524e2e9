import numpy as np
import pytest
from scipy.special import softmax

from discern.evaluation.conformal import build_sets, compute_min_probability


def draw(count, seed):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, 6))
    probabilities = softmax(logits, axis=1)
    targets = (probabilities.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    # What a classifier says need not be true for its sets to be.
    return softmax(3 * logits, axis=1), targets


@pytest.mark.parametrize("wanted", [0.8, 0.9, 0.95])
def test_sets_hold_the_true_class_as_often_as_was_asked(wanted):
    shares, sizes = [], []
    for seed in range(150):
        said, targets = draw(200, seed)
        least = compute_min_probability(said[np.arange(200), targets], wanted)
        new, true = draw(200, 1000 + seed)
        sets = build_sets(new, least)
        shares.append(sets[np.arange(200), true].mean())
        sizes.append(sets.sum(axis=1).mean())
    assert wanted - 0.005 <= np.mean(shares) <= wanted + 0.04
    assert np.mean(sizes) < 6


def test_no_set_is_empty_and_the_most_probable_class_is_in_it():
    said, _ = draw(50, 0)
    sets = build_sets(said, 0.999999)
    assert (sets.sum(axis=1) == 1).all()
    assert (sets.argmax(axis=1) == said.argmax(axis=1)).all()


def test_too_few_pictures_promise_nothing_but_all_classes():
    assert compute_min_probability(np.full(18, 0.9), 0.95) == 0
    assert compute_min_probability(np.full(19, 0.9), 0.95) == pytest.approx(0.9)
