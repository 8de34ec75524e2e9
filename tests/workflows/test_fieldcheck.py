"""A field check on pictures of the usual kind, and on pictures that are not."""

import json
import shutil

import pandas as pd
import pytest

from discern.errors import ConfigError, RunFolderError
from discern.serving.decisions import Decisions
from discern.workflows.fieldcheck import fieldcheck
from html_checks import check_page
from pictures import draw_photo, draw_photos


@pytest.fixture(scope="module")
def new_photos(tmp_path_factory):
    """Pictures of the usual kind; a file that is none."""
    folder = draw_photos(tmp_path_factory.mktemp("field") / "new", per_class=8, first_seed=700)
    (folder / "red" / "bad.png").write_bytes(b"bad")
    return folder


def fill_in(sample, target, label=lambda name: name.split("/")[0]):
    table = pd.read_csv(sample, dtype="str")
    table.assign(label=[label(name) for name in table["id"]]).to_csv(target, index=False)
    return target


@pytest.fixture(scope="module")
def checked(trained_run, new_photos, tmp_path_factory):
    """A sample of all, with given labels."""
    place = tmp_path_factory.mktemp("checked")
    arguments = {"out": place / "out", "label": 25, "verbose": False, "max_errors": (0.05, 0.9)}
    (place / "empty.csv").write_text("id,label\n")
    first = fieldcheck(trained_run, new_photos, labels=place / "empty.csv", **arguments)
    labels = fill_in(place / "out" / "sample.csv", place / "labels.csv")
    return place, arguments, first, fieldcheck(trained_run, new_photos, labels=labels, **arguments)


def test_without_labels_nothing_is_said(checked):
    _, _, first, _ = checked
    assert (first.labelled, first.accuracy, first.open) == (0, None, 24)
    assert {one.verdict for one in first.promises} == {"open"}


def test_the_numbers_are_those_of_the_answers(checked):
    place, _, _, check = checked
    answers = pd.read_csv(place / "out" / "answers.csv")
    right = answers["true"] == answers["predicted"]
    assert (check.pictures, check.sampled, check.unreadable, check.labelled, check.open) == (25, 25, 1, 24, 0)
    assert check.accuracy.value == right.mean()
    assert (answers["right"] == right).all()
    assert json.loads((place / "out" / "fieldcheck.json").read_text())["accuracy"]["value"] == right.mean()
    assert [one.name for one in sorted(check.classes, key=lambda one: one.name)] == ["blue", "green", "red"]
    page = check_page((place / "out" / "fieldcheck.html").read_text(encoding="utf-8"))
    assert "on 24 labelled pictures" in page.text
    assert "1 picture of the sample cannot be read" in page.text


def test_it_goes_on_with_the_same_sample_and_the_page_is_not_needed_when_all_are_labelled(
    checked, trained_run, new_photos, tmp_path
):
    out = shutil.copytree(checked[0] / "out", tmp_path / "out")
    answers = Decisions(out / "labels.csv")
    for name in pd.read_csv(out / "sample.csv")["id"]:
        is_none = name.startswith("red")
        answers.add(name, "none" if is_none else "label", old="", new="" if is_none else name.split("/")[0])
    # A folder and a part of it are the same pictures as the folder.
    check = fieldcheck(trained_run, [new_photos, new_photos / "red"], **{**checked[1], "out": out})
    assert check.none_of_the_classes == 8
    assert check.accuracy.value == pytest.approx(checked[3].accuracy.value - 8 / 24, abs=1 / 24)
    text = " ".join(check.describe())
    assert "8 pictures of none of the classes, counted as wrong" in text


def test_another_run_or_other_pictures_are_another_check(checked, trained_run, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    draw_photo((10, 10, 10), 1).save(other / "1.png")
    labels = checked[0] / "labels.csv"
    with pytest.raises(RunFolderError, match="holds a field check of another run, other pictures or another seed"):
        fieldcheck(trained_run, other, labels=labels, **checked[1])
    with pytest.raises(ConfigError, match="label is 0"):
        fieldcheck(trained_run, other, out=tmp_path / "o", label=0, labels=labels)
