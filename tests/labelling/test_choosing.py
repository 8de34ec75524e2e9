"""What is asked next: typical pictures of every kind first, then those that tell most."""

import numpy as np

from discern.labelling.choosing import choose_informative, choose_typical

KINDS = 20


def draw_points(seed, each=30):
    rng = np.random.default_rng(seed)
    centres = 10 * rng.normal(size=(KINDS, 6))
    return (np.repeat(centres, each, axis=0) + rng.normal(size=(KINDS * each, 6))).astype(np.float32)


def test_the_first_pictures_are_of_nearly_every_kind_and_near_its_middle():
    points, each = draw_points(0), 30
    rows = np.array(choose_typical(points, np.arange(len(points)), np.zeros(0, np.int64), seed=0))
    assert len(set(rows.tolist())) == 20
    assert len(set((rows // each).tolist())) >= 0.8 * KINDS
    middles = points.reshape(KINDS, each, 6).mean(axis=1)
    distances = np.linalg.norm(points - np.repeat(middles, each, axis=0), axis=1)
    assert distances[rows].mean() < 0.7 * distances.mean()


def test_the_next_typical_pictures_are_of_kinds_without_a_label():
    points = draw_points(1)
    learnt = np.arange(KINDS // 2) * 30
    rows = choose_typical(points, np.setdiff1d(np.arange(len(points)), learnt), learnt, seed=0)[:8]
    assert np.mean([row // 30 >= KINDS // 2 for row in rows]) > 0.7


def test_informative_pictures_are_doubtful_different_and_left():
    points = draw_points(2)
    doubts = np.where(np.arange(len(points)) < 300, 0.5, 0.01)
    learnt = np.arange(0, 600, 60)
    left = np.setdiff1d(np.arange(600), learnt)
    rows = choose_informative(points, left, learnt, doubts, 0.1)
    assert len(rows) == len(set(rows)) > 20
    assert set(rows) <= set(left.tolist())
    first = np.array(rows[:8])
    assert (first < 300).all()
    assert len(set((first // 30).tolist())) >= 6


def test_equal_pictures_are_not_all_asked_at_once():
    points = np.concatenate([np.full((50, 4), 3.0), np.eye(4) * 3.0]).astype(np.float32)
    rows = choose_informative(points, np.arange(54), np.zeros(0, np.int64), np.full(54, 0.5), 10.0)[:5]
    assert {50, 51, 52, 53} & set(rows)


def test_of_nothing_nothing_is_chosen():
    points, none = draw_points(3), np.zeros(0, np.int64)
    assert choose_typical(points, none, np.arange(5), seed=0) == []
    assert choose_informative(points, none, np.arange(5), np.ones(len(points)), 0.1) == []
