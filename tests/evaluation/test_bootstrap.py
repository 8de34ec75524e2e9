"""The stratified bootstrap, against drawing pictures one by one and against what it is for: coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray

from discern.evaluation.bootstrap import count_classes, draw_weights, resample_counts, resample_means
from discern.evaluation.metrics import count_confusion

CONFUSION = np.array([[30, 5, 0, 0], [4, 10, 6, 0], [0, 0, 1, 0], [0, 0, 0, 0]])


def test_class_counts_are_the_margins_and_the_diagonal() -> None:
    counts = count_classes(CONFUSION)
    assert counts.hits.tolist() == [30, 10, 1, 0]
    assert counts.true.tolist() == [35, 20, 1, 0]
    assert counts.predicted.tolist() == [34, 15, 7, 0]


def test_resampling_keeps_class_sizes_and_invents_no_new_mistake() -> None:
    counts = resample_counts(CONFUSION, resamples=200)
    assert counts.hits.shape == counts.predicted.shape == (200, 4)
    assert np.array_equal(counts.true, CONFUSION.sum(axis=1))
    assert (counts.predicted.sum(axis=1) == CONFUSION.sum()).all()
    assert (counts.hits <= counts.true).all()
    assert (counts.hits[:, 2] == 1).all()
    assert (counts.predicted[:, 3] == 0).all()


def test_resampled_counts_are_distributed_like_pictures_drawn_one_by_one() -> None:
    targets, predictions = _pictures_of(CONFUSION)
    rng = np.random.default_rng(1)
    hits, predicted = [], []
    for _ in range(2000):
        drawn = np.concatenate([rng.choice(np.flatnonzero(targets == c), (targets == c).sum()) for c in range(3)])
        counts = count_classes(count_confusion(targets[drawn], predictions[drawn], 4))
        hits.append(counts.hits)
        predicted.append(counts.predicted)
    resampled = resample_counts(CONFUSION, resamples=2000)
    for expected, actual in ((hits, resampled.hits), (predicted, resampled.predicted)):
        assert actual.mean(axis=0) == pytest.approx(np.mean(expected, axis=0), abs=0.3)
        assert actual.std(axis=0) == pytest.approx(np.std(expected, axis=0), abs=0.2)


def test_resampled_means_have_the_mean_and_the_stratified_standard_error() -> None:
    rng = np.random.default_rng(0)
    targets = rng.permutation(np.repeat([0, 1, 4], [200, 50, 10]))
    values = rng.exponential(size=260) + 5 * targets
    means = resample_means(values, targets, resamples=4000)
    variance = sum((targets == c).sum() * values[targets == c].var() for c in (0, 1, 4)) / len(values) ** 2
    assert means.mean() == pytest.approx(values.mean(), abs=0.01)
    assert means.std() == pytest.approx(np.sqrt(variance), rel=0.05)


def test_means_of_several_values_are_drawn_together_and_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    values, targets = rng.normal(size=(50, 3)), rng.integers(4, size=50)
    together = resample_means(values, targets, resamples=20)
    assert together.shape == (20, 3)
    for column in range(3):
        assert together[:, column] == pytest.approx(resample_means(values[:, column], targets, resamples=20))


def test_every_draw_takes_as_many_pictures_of_a_class_as_there_are() -> None:
    targets = np.array([2, 0, 2, 2, 1, 0])
    weights = np.concatenate(list(draw_weights(targets, resamples=400)))
    assert weights.shape == (400, 6)
    for target in range(3):
        of_class = weights[:, targets == target]
        assert (of_class.sum(axis=1) == of_class.shape[1]).all()
        assert of_class.mean(axis=0) == pytest.approx(1, abs=0.15)
        assert of_class.max() == of_class.shape[1]


def test_large_classes_are_drawn_in_blocks_without_a_seam() -> None:
    values = np.random.default_rng(0).normal(size=400_000)
    means = resample_means(values, np.zeros(400_000, dtype=np.int64), resamples=21)
    assert means.shape == (21,)
    assert np.abs(means - values.mean()).max() < 5 / np.sqrt(400_000)


def test_a_seed_repeats_the_draws_and_another_changes_them() -> None:
    values, targets = np.arange(40.0), np.repeat([0, 1], 20)
    for draw in (
        lambda seed: resample_counts(CONFUSION, resamples=50, seed=seed).predicted,
        lambda seed: resample_means(values, targets, resamples=50, seed=seed),
    ):
        assert np.array_equal(draw(3), draw(3))
        assert not np.array_equal(draw(3), draw(4))


def _pictures_of(confusion: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Spell a confusion matrix out as the targets and predictions of single pictures."""
    cells = np.repeat(np.arange(confusion.size), confusion.ravel())
    targets, predictions = np.divmod(cells, len(confusion))
    return targets, predictions
