"""A person who labels drawn pictures by keys, from an empty journal to a goal that holds."""

import csv

import numpy as np
import pytest
from PIL import Image

from discern.labelling.goal import Goal
from discern.labelling.heap import Heap, normalize_features
from discern.labelling.journal import Journal
from discern.labelling.session import LabellingSession
from discern.serving.guard import Access
from discern.serving.label_app import create_label_app
from pictures import draw_photos
from served import serving

GOAL = Goal(wrong=0.3, answered=0.9)


@pytest.fixture(scope="module")
def heap(tmp_path_factory):
    """Drawn pictures whose features are their mean colours, a hundred times over, so that no network is needed."""
    paths = sorted(draw_photos(tmp_path_factory.mktemp("heap"), per_class=40).rglob("*.png"))
    colours = np.array([np.asarray(Image.open(path), np.float32).mean((0, 1)) for path in paths])
    keys = [f"{row:04x}" for row in range(len(paths))]
    return Heap("blots", keys, [[str(path)] for path in paths], normalize_features(np.tile(colours, 100)))


@pytest.fixture
def open_labelling(heap, tmp_path, browser):
    """Open the page of the labelling, new or as it was left."""

    def open_one():
        session = LabellingSession(heap, Journal(tmp_path / "labels.csv"), GOAL)
        page = browser.new_page(locale="en")
        with serving(create_label_app(session, Access({"127.0.0.1"}), lambda: None)) as address:
            page.goto(address)
            yield session, page
        page.close()
        session.close()

    return open_one


def wait_for_count(page, answered):
    page.wait_for_function(
        "count => document.querySelector('#count').textContent.startsWith(`${count} of`)", arg=answered
    )
    page.wait_for_selector("#main[aria-busy=false]")


def answer(session, page, count):
    """Answer so many questions with the truth, by keys alone."""
    page.wait_for_selector("#main[aria-busy=false]")
    for _ in range(count):
        question, names = session.ask(), session.class_names
        colour = question.path.parent.name
        answered = session.describe().answered
        if question.suggestion == colour and page.locator("#suggestion").is_visible():
            page.keyboard.press("Enter")
        elif colour in names:
            page.keyboard.press(str(names.index(colour) + 1))
        else:
            if names:  # before the first, the field is where one writes
                page.keyboard.press("c")
            page.keyboard.type(colour)
            page.keyboard.press("Enter")
        wait_for_count(page, answered + 1)


def test_a_labelling_reaches_its_goal_by_keys_and_goes_on_after_a_restart(open_labelling, heap, tmp_path):
    for session, page in open_labelling():
        answer(session, page, 20)
        assert sorted(session.class_names) == ["blue", "green", "red"]
    for session, page in open_labelling():
        page.wait_for_selector("#main[aria-busy=false]")
        assert page.inner_text("#count") == f"20 of {len(heap)} answered"
        while not session.describe().goal_reached:
            answer(session, page, 5)
            session.wait()
            assert session.describe().answered < 90
        page.locator("#reached").wait_for(state="visible")
        assert page.locator("#curve circle").count() > 0
        before = session.describe().answered
        page.keyboard.press("g")
        page.wait_for_selector("#alike:not([hidden])")
        page.keyboard.press("Enter")
        page.wait_for_selector("#alike", state="hidden")
        page.wait_for_selector("#main[aria-busy=false]")
        assert session.describe().answered > before + 1
        page.keyboard.press("u")
        wait_for_count(page, before)
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(row["label"] in (row["path"].split("/")[-2], "") for row in rows)
