"""Answers in the form of a sample submission: what it asks for, and which picture each of its ids means."""

import logging
import unicodedata

import numpy as np
import pytest

from discern.data.table import build_table
from discern.errors import DataError
from discern.predictor.submission import read_submission

PROBABILITIES = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1]])
TABLE = build_table({"id": ["x/a.jpg", "x/b.jpg"]}, source="test")
NAMES = ("cat", "dog", "owl")
NUMBERS = ("1.0", "2.0", "3.0")


@pytest.fixture
def fill(tmp_path):
    def fill(text, class_names=NAMES, table=TABLE, readable=None):
        (tmp_path / "sample.csv").write_text(text)
        submission = read_submission(tmp_path / "sample.csv", class_names)
        chosen = submission.choose_pictures(table)
        rows = table.frame["id"].tolist()
        wanted = np.array([rows.index(name) for name in chosen.frame["id"]])
        if readable is not None:
            wanted = wanted[readable]
        return submission.fill(PROBABILITIES[wanted], readable)

    return fill


@pytest.mark.parametrize(
    ("values", "class_names", "written"),
    [
        (("1", "1"), NUMBERS, ["2", "1"]),
        ((" 1", " 1"), NUMBERS, [" 2", " 1"]),
        (("01", "02"), NUMBERS, ["02", "01"]),
        (("0", "0"), NUMBERS, ["2", "1"]),  # an example that is no class, in the form of a whole number
        (("1.00", "1.00"), ("1", "2", "3"), ["2.00", "1.00"]),
        (("0", "0"), ("3", "5", "40"), ["5", "3"]),
        (("1", "1"), ("0.5", "1", "2.25"), ["1", "0.5"]),
        (("1", "1"), ("1", "01", "2"), ["01", "1"]),  # classes that only their spelling tells apart
        (("0", "0"), NAMES, ["1", "0"]),
        (("3", "1"), NAMES, ["2", "1"]),
        (("dog", "owl"), NAMES, ["dog", "cat"]),
        (("CAT", "CAT"), NAMES, ["DOG", "CAT"]),
        (("big_cat", "big_cat"), ("big cat", "small dog", "owl"), ["small_dog", "big_cat"]),
        (("", ""), NAMES, ["dog", "cat"]),
    ],
)
def test_a_label_is_written_as_the_sample_spells_it(fill, values, class_names, written):
    text = f"id,label\na,{values[0]}\nb,{values[1]}\n"
    assert fill(text, class_names)["label"].tolist() == written


def test_two_classes_0_and_1_may_be_written_as_booleans_or_as_the_probability_of_1(tmp_path):
    answers = []
    for example in ("False", "0.5"):
        (tmp_path / "sample.csv").write_text(f"id,label\na,{example}\nb,{example}\n")
        filled = read_submission(tmp_path / "sample.csv", ("0", "1")).fill(np.array([[0.1, 0.9], [0.8, 0.2]]))
        answers.append(filled["label"].tolist())
    assert answers == [["True", "False"], [0.9, 0.2]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("5", "3"), "numbers from 3 to 5; the 3 classes have names, and would be numbered 0 to 2"),
        (("-1", "-1"), "numbers from -1 to -1"),
        (("0.0", "1.0"), "may be numbers of classes or probabilities"),
        (("0.5", "0.5"), "fractions .0.5.: the probability of which class is not said. Name the column"),
        (("12.5", "3"), "measured numbers .12.5, 3., as of a regression"),
        (("cat dog", "cat"), "several labels in a cell .'cat dog'."),
        (("cat|dog", "cat"), "several labels in a cell"),
        (('"cat,dog"', "cat"), "several labels in a cell"),
        (("\"['cat']\"", "\"['dog']\""), "several labels in a cell"),
        (("1 5 7 2", "1 1"), "several numbers in a cell .'1 5 7 2'., as several labels, masks and boxes are written"),
        (("wolf", "bear"), "'wolf', 'bear', which are none of the classes cat, dog, owl"),
        (("True", "False"), "which of them is True is not said"),
    ],
)
def test_a_label_column_that_asks_for_something_else_is_refused_by_name(fill, values, message):
    with pytest.raises(DataError, match=message):
        fill(f"id,label\na,{values[0]}\nb,{values[1]}\n")


def test_an_empty_column_of_masks_is_refused(fill):
    with pytest.raises(DataError, match="'EncodedPixels' is empty and named as for masks"):
        fill("id,EncodedPixels\na,\nb,\n")


def test_numbers_among_which_some_are_no_class_are_refused(fill):
    with pytest.raises(DataError, match=r"'0', '2', which are not all classes; those are 1.0, 2.0, 3.0"):
        fill("id,label\na,0\nb,2\n", NUMBERS)


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        ("id,l\na,0\n", "WARNING", "by their place: 0 = cat, 1 = dog, 2 = owl"),
        ("id,l\na,cat\n", "INFO", "asks for one class, by name"),
        ("id,l\na,what\n", "WARNING", "one class, such as cat; 'what' in it is none that is known"),
        ("id,cat,dog,owl\na,0,0,0\n", "INFO", "asks for the probability of each class"),
        ("id,cat,dog\na,.5,.5\n", "WARNING", "it has no column for owl"),
        ("id,cat,dog,owl\na,.5,.5,.5\n", "WARNING", "does it ask for several labels?"),
    ],
)
def test_what_is_understood_is_said(tmp_path, caplog, text, level, said):
    (tmp_path / "sample.csv").write_text(text)
    with caplog.at_level(logging.INFO, "discern"):
        read_submission(tmp_path / "sample.csv", NAMES)
    (record,) = caplog.records
    assert (record.levelname, said in record.getMessage()) == (level, True)


@pytest.mark.parametrize(
    ("header", "class_names", "first"),
    [
        ("owl,cat,dog", NAMES, [0.1, 0.6, 0.3]),
        ("probability_cat,probability_dog,probability_owl", NAMES, [0.6, 0.3, 0.1]),
        ("0,1,2", NAMES, [0.6, 0.3, 0.1]),
        ("3,2,1", NUMBERS, [0.1, 0.3, 0.6]),
        ("owl", NAMES, [0.1]),
    ],
)
def test_columns_named_as_classes_get_probabilities(fill, header, class_names, first):
    zeros = ",0" * len(header.split(","))
    filled = fill(f"id,{header}\nb{zeros}\na{zeros}\n", class_names)
    assert filled.columns.tolist() == ["id", *header.split(",")]
    assert filled.iloc[0].tolist() == ["b", *first]


def test_a_sample_of_ones_and_zeros_gets_ones_and_zeros_unless_all_its_rows_are_alike(fill):
    assert fill("id,cat,dog,owl\na,1,0,0\nb,0,0,1\n").iloc[0].tolist() == ["a", 0, 1, 0]
    assert fill("id,cat,dog,owl\na,1,0,0\nb,1,0,0\n").iloc[0].tolist() == ["a", 0.1, 0.7, 0.2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,cat,dog,owl\na,1,0,1\nb,0,0,1\n", "asks for several labels of a picture: rows have 1 in several columns"),
        ("id,cat,dog,owl\na,yes,no,no\nb,no,no,no\n", "hold 'yes', 'no'; expected numbers from 0 to 1"),
        ("id,cat,dog,owl\na,37,0,0\nb,0,0,0\n", "hold '37'; expected numbers from 0 to 1"),
        ("id,label,other\na,x,y\n", r"'label', 'other' are no classes; expected one column of labels, or one column"),
        ("id,label,label\na,x,y\n", "columns of the same name: id, label, label"),
        ("id\na\n", "has 1 columns and 1 rows; expected ids and answers"),
        ("id,label\na,x\na,x\n", "repeated ids in its first column, 'id': a"),
        ("label,id\ncat,a\ncat,b\n", "in its first column, 'label': cat. If the ids are in 'id', move that column"),
        ("label,id\ncat,a\ndog,b\n", "has classes in its first column, 'label'; expected ids. If the ids are in 'id'"),
        ("a.jpg,cat\nb.jpg,cat\n", "the first line, 'a.jpg,cat', looks like a picture"),
        ("a,cat\nb,dog\n", r"looks like an answer .cat. and not like names of columns. Put a line of names above it"),
        (
            "id,label\na,x\nc,x\nd,x\n",
            r"asks for 2 of 3 pictures .* the 2 inputs: c, d. The inputs are called 'x/a.jpg'",
        ),
        ("id,label\na,x\na.jpg,x\n", "several ids for one picture: a, a.jpg"),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(fill, text, message):
    with pytest.raises(DataError, match=message):
        fill(text)


@pytest.mark.parametrize(
    ("name", "values", "class_names", "written"),
    [
        ("is_dog", ("0", "0"), NAMES, ["1", "0"]),
        ("isDog", ("False", "True"), NAMES, ["True", "False"]),
        ("contains a dog", ("no", "no"), NAMES, ["yes", "no"]),
        ("dog_label", ("0", "1"), NAMES, ["1", "0"]),
        ("is_cat", ("0", "1"), ("cat", "dog"), ["0", "1"]),  # its place among the classes would say the opposite
        ("is_dog", ("0.5", "0.5"), NAMES, [0.7, 0.3]),
        ("prob_dog", ("0", "0"), NAMES, [0.7, 0.3]),
        ("island", ("0", "1"), ("cat", "land", "owl"), ["1", "0"]),  # by place: it is named after no class
    ],
)
def test_a_column_named_after_one_class_asks_for_that_class(fill, name, values, class_names, written):
    answers = fill(f"id,{name}\na,{values[0]}\nb,{values[1]}\n", class_names)
    assert answers[name].tolist() == written


def test_a_question_after_no_class_is_refused(fill):
    with pytest.raises(DataError, match="'is_animal' asks for 1 or 0 and is named after none of the classes cat, dog"):
        fill("id,is_animal\na,0\nb,1\n")


def test_an_id_in_another_case_of_another_type_or_of_the_same_number_is_met_and_said(fill, caplog):
    table = build_table({"id": ["0000.png", "dog_1.png"]}, source="test")
    for number, other in (("0", "DOG_1.PNG"), ("0.0", "dog_1.jpg"), ("000000", "Dog_1")):
        filled = fill(f"id,label\n{other},cat\n{number},cat\n", table=table)
        assert filled["label"].tolist() == ["cat", "dog"]
        assert f"{other!r} is 'dog_1.png', {number!r} is '0000.png'" in caplog.text
    two = build_table({"id": ["1.png", "01.png"]}, source="test")
    with pytest.raises(DataError, match="match several pictures: 001"):
        fill("id,label\n001,cat\n", table=two)


def test_ids_keep_their_leading_zeros(fill):
    filled = fill("id,label\n7,cat\n007,cat\n", table=build_table({"id": ["007.jpg", "7.jpg"]}, source="test"))
    assert filled["id"].tolist() == ["7", "007"]
    assert filled["label"].tolist() == ["cat", "dog"]


@pytest.mark.parametrize(
    "name", ["b", "b.jpg", "x/b", "x/b.jpg", "x\\b.jpg", "/kaggle/input/x/b.jpg", "elsewhere/b.jpg"]
)
def test_an_id_may_be_any_name_of_a_picture(fill, name):
    assert fill(f"id,label\n{name},cat\n")["label"].tolist() == ["cat"]


def test_names_are_compared_in_composed_form(fill):
    table = build_table({"id": [unicodedata.normalize("NFD", "Café.jpg"), "b.jpg"]}, source="test")
    assert fill("id,label\nCafé,cat\n", table=table)["label"].tolist() == ["dog"]


def test_an_id_that_fits_two_pictures_is_refused_unless_its_folder_tells(fill):
    table = build_table({"id": ["x/a.jpg", "y/a.jpg"]}, source="test")
    assert fill("id,label\ny/a,cat\n", table=table)["label"].tolist() == ["cat"]
    with pytest.raises(DataError, match="match several pictures: a; use longer ids"):
        fill("id,label\na,x\n", table=table)


def test_a_whole_id_goes_before_another_pictures_file_name(fill):
    table = build_table({"id": ["a.jpg", "x/a.jpg"]}, source="test")
    assert fill("id,label\na.jpg,cat\n", table=table)["label"].tolist() == ["dog"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("id,label\na,owl\nb,owl\n", ["owl", "cat"]),  # the sample's own answer
        ("id,label\na,?\nb,?\n", ["cat", "cat"]),  # the most frequent answer
        ("id,cat,dog,owl\na,.2,.2,.6\nb,1,0,0\n", [".2", 0.6]),
        ("id,cat,dog,owl\na,0,0,0\nb,0,0,0\n", [0.6, 0.6]),
    ],
)
def test_a_picture_that_cannot_be_read_gets_the_samples_own_answer_or_the_usual_one(fill, text, written):
    assert fill(text, readable=np.array([False, True])).iloc[:, 1].tolist() == written
