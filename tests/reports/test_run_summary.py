"""A run as Python and a notebook show it."""

import shutil
from io import BytesIO

import pytest
from PIL import Image

from discern.percent import percent
from discern.reports import run_summary
from discern.reports.run import Run
from html_checks import Page


@pytest.fixture
def run(trained_run):
    return Run(trained_run)


def read_page(run):
    page = Page(run._repr_html_().replace("\u202f", " "))
    assert not page.problems
    return page


def test_a_run_shows_its_scores_and_classes_and_where_its_report_is(run):
    texts = read_page(run).texts
    accuracy = run.metrics["test"].accuracy
    assert percent(accuracy.value) in texts
    assert f"{percent(accuracy.low)} to {percent(accuracy.high)}" in texts
    assert str(run.folder.report) in texts
    assert {"blue", "green", "red"} <= set(texts)
    assert any("resnet18-half at 32 px, recipe table" in text for text in texts)


def test_of_many_classes_the_weakest_are_shown(run, monkeypatch):
    monkeypatch.setattr(run_summary, "_SHOWN_CLASSES", 2)
    page = read_page(run)
    assert any("2 of 3 classes on the test pictures" in text for text in page.texts)
    assert len({"blue", "green", "red"} & set(page.texts)) == 2


def test_a_run_that_is_not_complete_can_be_shown(run, tmp_path):
    shutil.copy(run.folder.plan, tmp_path)
    interrupted = Run(tmp_path)
    assert repr(interrupted) == f"<Run {tmp_path}: not evaluated>"
    assert "The run is not complete." in read_page(interrupted).texts


def test_a_figure_is_a_picture_without_pyplot(run):
    figure = run.plot("confusion")
    width, height = Image.open(BytesIO(figure._repr_png_())).size
    assert min(width, height) > 400
