import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from discern.predictor.feature_bank import build_feature_bank, choose_bank_rows, measure_similarity


def build(features):
    names = [f"{row}.png" for row in range(len(features))]
    frame = pd.DataFrame({"id": names, "path": names, "label": "a", "split": "train"})
    return build_feature_bank(features, frame)


def test_the_nearest_are_those_that_scikit_learn_finds():
    rng = np.random.default_rng(0)
    known, new = rng.normal(size=(300, 16)), rng.normal(size=(1500, 16))
    similarities, rows = build(known).find_nearest(new, 4)
    oracle = NearestNeighbors(n_neighbors=4, metric="cosine").fit(known)
    distances, their_rows = oracle.kneighbors(new)
    assert similarities == pytest.approx(1 - distances, abs=2e-3)
    assert (rows == their_rows).mean() > 0.98  # half precision may swap near ties


def test_a_bank_smaller_than_what_is_asked_gives_all_of_it():
    similarities, rows = build(np.eye(3)).find_nearest(np.eye(3)[:1], 5)
    assert similarities.shape == rows.shape == (1, 3)
    assert rows[0, 0] == 0
    assert build(np.eye(3)).find_nearest(np.empty((0, 3)), 2)[1].shape == (0, 2)


def test_similarity_is_that_of_the_fifth_nearest_and_scale_does_not_matter():
    known = np.vstack([np.eye(8)[:1].repeat(4, axis=0), np.eye(8)[1:]])
    bank = build(100 * known)
    assert bank.measure_similarity(np.eye(8)[:1]) == pytest.approx([0])
    assert bank.measure_similarity(np.ones((1, 8))) == pytest.approx([1 / np.sqrt(8)], abs=1e-3)


def test_features_of_zeros_are_like_nothing():
    assert build(np.eye(6)).measure_similarity(np.zeros((1, 6))) == pytest.approx([0])


def test_its_pictures_are_even_over_classes_seeded_and_in_order():
    targets = np.repeat([0, 1, 2], [1000, 50, 10])
    rows = choose_bank_rows(targets, 90, seed=0)
    counts = np.bincount(targets[rows])
    assert list(counts) == [40, 40, 10]
    assert (np.diff(rows) > 0).all()
    assert (rows == choose_bank_rows(targets, 90, seed=0)).all()
    assert (rows != choose_bank_rows(targets, 90, seed=1)).any()
    assert list(choose_bank_rows(targets[:5], 90, seed=0)) == [0, 1, 2, 3, 4]
    assert len(choose_bank_rows(targets, 0, seed=0)) == 0


def test_batch_by_batch_the_similarity_is_the_same():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 8)).astype(np.float32)
    for count in (2, 30):
        bank = build(rng.normal(size=(count, 8)).astype(np.float32))
        known = torch.from_numpy(bank.features).float()
        found = measure_similarity(torch.from_numpy(features), known)
        np.testing.assert_allclose(found, bank.measure_similarity(features), atol=1e-6)
