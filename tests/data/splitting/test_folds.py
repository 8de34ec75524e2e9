"""Folds: every picture is held out once, groups stay together, and the user's own test split stays out of them."""

from collections import Counter

import numpy as np
import pytest

from discern.data.splitting.folds import divide_into_folds, hold_out, load_folds, pool_splits, save_folds
from discern.data.table import ImageTable, build_table
from discern.errors import DataError

FRACTIONS = (0.7, 0.15, 0.15)


def table_of(counts: dict[str, int], *, splits: dict[int, str] | None = None, group_size: int = 0) -> ImageTable:
    labels = [name for name, count in counts.items() for _ in range(count)]
    columns = {"id": [f"{label}/{number}.jpg" for number, label in enumerate(labels)], "label": labels}
    if splits is not None:
        columns["split"] = [splits.get(number % 10, "train") for number in range(len(labels))]
    if group_size:
        columns["group"] = [f"{label} {number // group_size}" for number, label in enumerate(labels)]
    return build_table(columns, source="here")


def folds_by_id(table: ImageTable, count: int, seed: int = 0) -> dict[str, int]:
    return dict(zip(table.frame["id"], divide_into_folds(table, count, seed=seed).tolist(), strict=True))


def test_every_class_is_in_every_fold_in_equal_numbers():
    table, _ = pool_splits(table_of({"a": 50, "b": 23, "c": 7}))
    counts = Counter(zip(table.frame["label"], divide_into_folds(table, 5, seed=0).tolist(), strict=True))
    assert {fold for _, fold in counts} == {1, 2, 3, 4, 5}
    for name, expected in {"a": {10}, "b": {4, 5}, "c": {1, 2}}.items():
        assert {counts[name, fold] for fold in range(1, 6)} == expected


def test_folds_depend_on_the_seed_and_not_on_the_order_of_rows():
    table, _ = pool_splits(table_of({"a": 31, "b": 12}, group_size=2))
    expected = folds_by_id(table, 3)
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    assert folds_by_id(shuffled, 3) == expected
    assert folds_by_id(table, 3, seed=1) != expected


@pytest.mark.parametrize("group_size", [0, 3])
def test_each_picture_is_held_out_once_and_no_group_is_on_two_sides(group_size):
    table, _ = pool_splits(table_of({"a": 40, "b": 26}, group_size=group_size))
    folds = divide_into_folds(table, 4, seed=0)
    held_out: Counter[str] = Counter()
    for number in range(1, 5):
        part = hold_out(table, folds, number, fractions=FRACTIONS, seed=0)
        assert sorted(part.frame["id"]) == sorted(table.frame["id"])
        held_out.update(part.select("test").frame["id"])
        share = len(part.select("validation")) / (len(part) - len(part.select("test")))
        assert share == pytest.approx(0.15 / 0.85, abs=0.06)
        if group_size:
            assert (part.frame.groupby("group")["split"].nunique() == 1).all()
    assert set(held_out.values()) == {1}
    assert len(held_out) == len(table)


def test_a_given_test_split_is_in_no_fold_and_a_given_validation_split_joins_them():
    given = table_of({"a": 40, "b": 40}, splits={0: "test", 1: "validation", 2: "validation"})
    table, joined = pool_splits(given)
    assert joined == 16
    assert Counter(table.frame["split"]) == {"train": 72, "test": 8}
    folds = divide_into_folds(table, 3, seed=0)
    assert set(table.frame["id"][folds == 0]) == set(given.select("test").frame["id"])
    part = hold_out(table, folds, 2, fractions=FRACTIONS, seed=0)
    assert set(part.frame["id"]).isdisjoint(given.select("test").frame["id"])


def test_without_a_share_for_validation_there_is_none():
    table, _ = pool_splits(table_of({"a": 10, "b": 10}))
    part = hold_out(table, divide_into_folds(table, 2, seed=0), 1, fractions=(1.0, 0.0, 0.0), seed=0)
    assert Counter(part.frame["split"]) == {"train": 10, "test": 10}


def test_a_class_with_fewer_pictures_or_groups_than_folds_is_named_with_what_to_do():
    table, _ = pool_splits(table_of({"a": 20, "few": 3}))
    with pytest.raises(DataError) as caught:
        divide_into_folds(table, 5, seed=0)
    assert str(caught.value) == (
        "here: classes that cannot be in each of 5 folds:\n  'few': 3 pictures\n"
        "Give at most 3 folds, add pictures of these classes, or leave them out."
    )
    table, _ = pool_splits(table_of({"a": 20, "b": 4}, group_size=4))
    with pytest.raises(DataError, match=r"'b': 4 pictures in 1 groups\nAdd pictures of these classes"):
        divide_into_folds(table, 5, seed=0)


def test_folds_are_read_as_they_were_written(tmp_path):
    table, _ = pool_splits(table_of({"007": 12, "NA": 12}, splits={0: "test"}))
    folds = divide_into_folds(table, 3, seed=0)
    save_folds(table, folds, tmp_path / "folds.csv")
    np.testing.assert_array_equal(load_folds(table, tmp_path / "folds.csv"), folds)
    with pytest.raises(DataError, match=r"folds.csv has other pictures than here. Start the run again"):
        load_folds(table.take(np.arange(5, 20)), tmp_path / "folds.csv")
    with pytest.raises(DataError, match=r"missing.csv is missing or damaged"):
        load_folds(table, tmp_path / "missing.csv")
