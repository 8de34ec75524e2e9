import logging

import pytest

from discern.data.class_finder import ClassFinder, match_labels
from discern.errors import DataError


@pytest.mark.parametrize(
    ("text", "class_names", "index"),
    [
        ("1.0", ("1", "2"), 0),
        ("02", ("1.0", "2.0"), 1),
        ("DOG", ("cat", "dog"), 1),
        ("big_cat ", ("big cat", "dog"), 0),
        ("1", ("1", "01"), 0),
        ("1.0", ("1", "01"), None),  # either could be meant
        ("3", ("1", "2"), None),
        ("one", ("1", "2"), None),
    ],
)
def test_a_class_is_found_by_name_by_number_and_then_by_case(
    text: str, class_names: tuple[str, ...], index: int | None
) -> None:
    assert ClassFinder(class_names).find(text) == index


def test_what_is_spelt_otherwise_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "discern"):
        assert match_labels(["1", "2"], ("1", "2"), "here") == {"1": "1", "2": "2"}
        assert not caplog.messages
        assert match_labels(["01", "2", "x"], ("1", "2"), "here") == {"01": "1", "2": "2"}
    assert caplog.messages == ["here: labels that the classifier spells otherwise: '01' is '1'"]


def test_labels_that_would_become_one_class_are_refused() -> None:
    with pytest.raises(DataError, match=r"mean one class of the classifier:\n  '1', '1.0': '1'\nWrite each class"):
        match_labels(["1", "1.0", "2"], ("1", "2"), "here")
