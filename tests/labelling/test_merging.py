"""The labels of several people in one."""

import pytest

from discern.errors import DataError
from discern.labelling.journal import Journal, JournalRow
from discern.labelling.merging import merge_journals


@pytest.fixture
def write(tmp_path):
    """Write a journal of (picture, label, how) in a folder of its own, with a second between rows."""
    for number in range(8):
        (tmp_path / f"{number}.jpg").touch()

    def write_one(name, *rows):
        folder = tmp_path / name
        folder.mkdir()
        lines = [JournalRow(f"../{file}", label, f"2026-01-01T00:00:{place:02}", how)
                 for place, (file, label, how) in enumerate(rows)]  # fmt: skip
        Journal(folder / "labels.csv").append(lines)
        return folder / "labels.csv"

    return write_one


def test_labels_are_joined_and_the_last_of_each_person_counts(write, tmp_path):
    anna = write("anna", ("0.jpg", "ant", "asked"), ("0.jpg", "bee", "asked"), ("1.jpg", "ant", "drawn"))
    ben = write("ben", ("1.jpg", "ant", "drawn"), ("2.jpg", "bee", "asked"), ("2.jpg", "", "undone"))
    merged = merge_journals([anna, ben], tmp_path / "both" / "deep")
    assert {row.path: (row.label, row.how) for row in merged.rows} == {
        "../../0.jpg": ("bee", "asked"),
        "../../1.jpg": ("ant", "drawn"),
    }
    assert merged.agreements[0][2:] == (1, 1, None, (str(tmp_path), str(tmp_path)))


def test_copies_of_pictures_in_two_places_are_no_pictures_in_common(write, tmp_path):
    places = [tmp_path / "here", tmp_path / "there"]
    for place in places:
        place.mkdir()
        (place / "0.jpg").touch()
    anna, ben = write("anna", ("here/0.jpg", "ant", "asked")), write("ben", ("there/0.jpg", "bee", "asked"))
    merged = merge_journals([anna, ben], tmp_path)
    text = merged.agreements[0].describe()
    assert f"their pictures lie in {places[0]} and {places[1]}. Where these are copies" in text
    assert len(merged.rows) == 2


def test_where_people_disagree_no_label_holds(write, tmp_path):
    pairs = [("ant", "ant"), ("ant", "bee"), ("bee", "bee"), ("bee", "bee"), ("ant", "ant"), ("bee", "")]
    anna = write("anna", *((f"{place}.jpg", one, "drawn") for place, (one, _) in enumerate(pairs)))
    ben = write("ben", *((f"{place}.jpg", two, "drawn" if two else "none") for place, (_, two) in enumerate(pairs)))
    merged = merge_journals([anna, ben], tmp_path)
    assert {row.path for row in merged.rows if row.how == "disagreed" and not row.label} == {"1.jpg", "5.jpg"}
    assert sorted(merged.disagreed.values()) == [["ant", "bee"], ["bee", "none of the classes"]]
    agreement = merged.agreements[0]
    assert (agreement.pictures, agreement.agreed) == (6, 4)
    assert agreement.kappa == pytest.approx((4 / 6 - 15 / 36) / (1 - 15 / 36))
    assert "agree on 4 of 6 pictures; Cohen's kappa 0.43" in agreement.describe()


def test_a_label_stands_where_the_other_person_was_unsure(write, tmp_path):
    anna, ben = write("anna", ("0.jpg", "ant", "asked")), write("ben", ("0.jpg", "", "unsure"))
    merged = merge_journals([anna, ben], tmp_path)
    assert [(row.path, row.label) for row in merged.rows] == [("0.jpg", "ant")]
    assert "no picture in common" in merged.agreements[0].describe()


def test_copies_do_not_count_twice_in_the_agreement(write, tmp_path):
    rows = (
        ("0.jpg", "ant", "asked"),
        ("1.jpg", "ant", "copy"),
        ("2.jpg", "bee", "drawn"),
        ("3.jpg", "bee", "drawn copy"),
    )
    merged = merge_journals([write("anna", *rows), write("ben", *rows)], tmp_path)
    assert merged.agreements[0][2:5] == (2, 2, 1.0)
    assert len(merged.rows) == 4


def test_labels_that_lie_elsewhere_than_their_pictures_are_refused(write, tmp_path):
    anna, ben = write("anna", ("0.jpg", "ant", "asked")), write("ben", ("missing.jpg", "ant", "asked"))
    with pytest.raises(DataError, match="1 labelled files are not where the labels say"):
        merge_journals([anna, ben], tmp_path)
