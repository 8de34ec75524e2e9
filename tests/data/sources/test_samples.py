"""What an estimator takes for X and y, settled before any work."""

import numpy as np
import pandas as pd
import pytest

from data_pictures import draw
from discern.data.sources.samples import check_labels, list_samples, name_labels
from discern.errors import DataError


@pytest.mark.parametrize(
    "y",
    [
        ["b", "a", "b"],
        ("b", "a", "b"),
        np.array([["b"], ["a"], ["b"]]),
        pd.Series(["b", "a", "b"], index=[7, 8, 9]),
        pd.Categorical(["b", "a", "b"]),
        pd.DataFrame({"y": ["b", "a", "b"]}),
        iter(["b", "a", "b"]),
        np.array([b"b", b"a", b"b"]),
    ],
)
def test_labels_in_any_container_become_a_row(y):
    labels = check_labels(y, 3)
    assert labels.shape == (3,)
    assert name_labels(np.unique(labels)) == ["a", "b"]


@pytest.mark.parametrize("y", [[1.0, 2.0, 1.0], [True, False, True], pd.array([1, 2, 1], dtype="Int64"), [10, 2, 1]])
def test_numbers_and_booleans_are_labels(y):
    assert check_labels(y, 3).tolist() == list(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.eye(3), r"shape \(3, 3\); expected \(N,\), .* One-hot labels become classes by y.argmax\(axis=1\)"),
        (np.ones((3, 2)), "Several labels a picture are not supported"),
        ([[1, 2, 1]], r"shape \(1, 3\).* Write y.ravel\(\)"),
        (5, "y is of type int, and no row of labels"),
        ([1, 2], "X has 3 pictures and y has 2 labels; expected one label per picture"),
        ([1, None, np.nan], "2 missing labels, in the rows 1, 2. Leave them out with overrides"),
        (["a", "", "b"], "1 missing labels, in the rows 1"),
        ([0.5, 1, 2], r"numbers with a fraction: 0.5. These are measurements, .* np.digitize"),
        ([1.0, np.inf, 2], "numbers with a fraction: inf"),
        (np.array([1, "a", 2], dtype=object), r"several types: number, str. Make them one: \[str\(label\)"),
        ([True, 1, 0], "several types: bool, number"),
        ([1, "a", 2], "several types: number, str"),
        (np.ma.array([1, 2, 3], mask=[0, 1, 0]), "1 missing labels, in the rows 1"),
        (np.zeros(3, dtype=[("a", "i4")]), "labels of type .*; expected texts or whole numbers"),
        (np.zeros(3, dtype="M8[ns]"), "labels of type datetime64"),
        ([pd.Timestamp(0)] * 3, "labels of type Timestamp; expected texts"),
        ([{}, {}, {}], "labels of type dict; expected texts or whole numbers"),
        ([[1], [2, 3], [1]], "y is of type list, and no row of labels"),
        (None, "y is missing"),
        ("abc", "y is a str"),
    ],
)
def test_labels_of_another_shape_or_kind_are_refused_with_the_line_that_mends_them(y, message):
    with pytest.raises(DataError, match=message):
        check_labels(y, 3)


def test_the_error_does_not_grow_with_the_labels():
    with pytest.raises(DataError) as caught:
        check_labels([None] * 10_000, 10_000)
    assert len(str(caught.value)) < 300


def test_missing_labels_can_stay_to_be_left_out():
    labels = check_labels(np.ma.array([3, 4, 5], mask=[0, 1, 0]), 3, "drop")
    assert labels.tolist() == [3, None, 5]
    with pytest.raises(DataError, match="y has 2 missing labels"):
        check_labels([None, "nan"], 2, "drop")


def test_text_of_numpy_is_text():
    assert check_labels(np.array([np.str_("a"), "b"], dtype=object), 2).tolist() == ["a", "b"]


def test_names_must_differ():
    with pytest.raises(DataError, match="different labels have the same text, blanks around it apart: a"):
        name_labels(np.array(["a", "a "]))
    with pytest.raises(DataError, match="the one label a; expected two classes or more"):
        name_labels(np.array(["a"]))
    with pytest.raises(DataError, match="y has bytes that are no UTF-8"):
        name_labels(np.array([b"a", b"\xff"]))


def test_pictures_are_listed_by_their_elements():
    arrays = [np.zeros((9, 9, 3), np.uint8), np.zeros((5, 5), np.uint8)]
    assert len(list_samples(arrays)) == len(list_samples(iter(arrays))) == 2
    assert len(list_samples(np.zeros((4, 9, 9, 1), np.uint8))) == 4
    assert len(list_samples([draw(1), draw(2)])) == 2
    paths = ["a.png", "b.png"]
    for X in (paths, np.array(paths), np.array([["a.png"], ["b.png"]]), pd.Series(paths), pd.DataFrame({"p": paths})):  # noqa: N806
        assert list_samples(X) == paths


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("photos", "X is a str; expected pictures one by one"),
        (np.zeros((9, 9, 3), np.uint8), r"X is one picture, an array of shape \(9, 9, 3\).* Write X\[None\]"),
        (
            pd.DataFrame({"p": ["a"], "q": ["b"]}),
            r"columns 'p', 'q'; expected one column of paths. Write X\[\[\"path\"\]\]",
        ),
        (
            pd.DataFrame({"File Name": ["a"], "q": ["b"]}),
            r"columns 'File Name', 'q'; expected one column of paths. Write X\[\[\"File Name\"\]\]",
        ),
        (["."], r"X has folders or tables; expected one picture for each row:\n  \."),
        (["a.csv"], "X has folders or tables"),
        (np.zeros((42, 4800), np.uint8), r"can be read as 42 flat pictures, .* array.reshape\(-1, 40, 40, 3\)"),
        (
            pd.DataFrame(np.zeros((2, 784))),
            r"table of numbers with the columns .* X.to_numpy\(np.uint8\).reshape\(-1, 28, 28\)",
        ),
        ([], "X is empty; expected pictures"),
        (7, "Inputs of type int are not understood"),
    ],
)
def test_other_pictures_are_refused_in_a_line(X, message):  # noqa: N803
    with pytest.raises(DataError, match=message):
        list_samples(X)


def test_a_class_that_is_called_nan_is_kept_on_request_and_the_error_says_so() -> None:
    labels = ["nan", "a", "nan", "b"]
    assert check_labels(labels, 4, "keep").tolist() == labels
    with pytest.raises(DataError, match=r'"drop"\}, or "keep" where a class is called so'):
        check_labels(labels, 4)
    with pytest.raises(DataError, match=r"1 missing labels, in the rows 2"):
        check_labels(["nan", "a", None, "b"], 4, "keep")
