"""The most confused pairs, against counting them one by one."""

from itertools import combinations

import numpy as np
import pytest

from discern.evaluation.confused_pairs import find_confused_pairs


def test_pairs_come_by_their_mistakes_in_both_directions() -> None:
    confusion = np.array([[50, 3, 0], [4, 60, 1], [0, 9, 70]])
    pairs = find_confused_pairs(confusion, ["ant", "bee", "cow"])
    assert [pair.count for pair in pairs] == [10, 7]
    assert [pair.model_dump() for pair in pairs] == [
        {"first": "bee", "second": "cow", "first_as_second": 1, "second_as_first": 9},
        {"first": "ant", "second": "bee", "first_as_second": 3, "second_as_first": 4},
    ]


def test_no_mistake_makes_no_pair() -> None:
    assert find_confused_pairs(np.diag([3, 4]), ["a", "b"]) == ()


@pytest.mark.parametrize("num_classes", [4, 30])
def test_the_ten_most_confused_pairs_agree_with_a_slow_loop(num_classes: int) -> None:
    confusion = np.random.default_rng(0).integers(6, size=(num_classes, num_classes))
    names = [str(index) for index in range(num_classes)]
    pairs = [pair for pair in combinations(range(num_classes), 2) if confusion[pair] + confusion[pair[::-1]]]
    pairs.sort(key=lambda pair: -(confusion[pair] + confusion[pair[::-1]]))
    found = find_confused_pairs(confusion, names)
    assert [(pair.first, pair.second) for pair in found] == [(str(a), str(b)) for a, b in pairs[:10]]
    assert [pair.first_as_second for pair in found] == [confusion[pair] for pair in pairs[:10]]
