"""Samples in which every class has its share."""

import numpy as np
import pytest

from discern.data.splitting.sample import sample_table
from discern.data.table import build_table


@pytest.fixture
def table():
    labels = ["a"] * 60 + ["b"] * 39 + ["c"]
    names = [f"{number}.png" for number in range(100)]
    return build_table({"id": names, "path": names, "label": labels}, source="test")


def test_classes_keep_their_shares_and_rows_their_order(table):
    sample = sample_table(table, 50, seed=0)
    counts = sample.frame["label"].value_counts()
    assert len(sample) == 50
    assert abs(counts["a"] - 30) <= 1
    assert counts["c"] == 1
    places = [int(name.removesuffix(".png")) for name in sample.frame["id"]]
    assert places == sorted(places)


def test_the_same_seed_draws_the_same(table):
    draws = [list(sample_table(table, 20, seed=seed).frame["id"]) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("size", [None, 100, 500])
def test_all_rows_are_the_table_itself(table, size):
    assert sample_table(table, size, seed=0) is table


def test_no_class_is_lost(table):
    assert set(sample_table(table, 2, seed=0).frame["label"]) == {"a", "b", "c"}
    assert len(np.unique(sample_table(table, 99, seed=0).frame["id"])) == 99
