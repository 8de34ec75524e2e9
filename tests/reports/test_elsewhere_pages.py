"""The pages of sites and of a field check: their numbers, what is missing, and that names stay text."""

import numpy as np
import pandas as pd
import pytest

from discern.evaluation.field_check import ClassCheck, FieldCheck, check_promise
from discern.evaluation.intervals import exact_interval
from discern.evaluation.site_outcomes import Promise, SiteOutcome
from discern.reports.field_page import build_field_page
from discern.reports.sites_page import build_sites_page
from html_checks import check_page
from saved_runs import HOSTILE_NAMES

PROMISE = Promise(exact_interval(95, 100), 100)


def test_each_site_stands_beside_the_promise():
    bad = SiteOutcome("bad", 100, 300, exact_interval(60, 100), exact_interval(9, 10), 10, ("wasp",), 3)
    failed = SiteOutcome("lost", 9, 0, None, None, 0, error="out of memory")
    page = check_page(build_sites_page([bad, failed], PROMISE, "photos.csv", "camera"))
    assert "below the promise: bad" in page.text
    assert "60.0 % 49.7 % to 69.7 % -35.0 points below 90.0 %" in page.text
    assert "3 pictures left out, of classes that no other site has: wasp" in page.text
    assert "out of memory" in page.text
    assert "1 site could not be measured." in page.text


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_stay_text(name):
    site = SiteOutcome(name, 100, 300, exact_interval(60, 100), None, 0, (name,), 1)
    check_page(build_sites_page([site], PROMISE, name, name))
    check, answers = build_check(name)
    check_page(build_field_page(check, answers))


def build_check(name="bee"):
    promises = (check_promise(0.05, 0.8, np.array([True] * 4), np.array([True] * 3 + [False])),)
    check = FieldCheck(
        run=name, source=name, seed=0, pictures=9, sampled=5, unreadable=0, skipped=0, labelled=4,
        none_of_the_classes=1, accuracy=exact_interval(3, 4), promised=exact_interval(9, 10), promised_split="test",
        unfamiliar=exact_interval(1, 5), usually_unfamiliar=0.01, promises=promises,
        classes=(ClassCheck(name=name, count=5, recall=exact_interval(4, 5)),),
    )  # fmt: skip
    answers = pd.DataFrame(
        {
            "id": [name, "b", "c"],
            "true": [name, "", ""],
            "predicted": ["ant", name, "ant"],
            "confidence": [0.9, 0.8, 0.7],
            "unfamiliar": [True, False, False],
            "right": pd.Series([False, False, None], dtype="object"),
        }
    )
    return check, answers


def test_a_field_check_shows_its_wrong_answers_and_what_is_open():
    page = check_page(build_field_page(*build_check()))
    assert "on 4 labelled pictures" in page.text
    assert "b none of these" in page.text
    assert "1 picture of the sample has no label yet" in page.text
    assert "Cannot be said yet" in page.text
    assert "Unlike the training pictures: bee" in page.text


def test_without_labels_there_is_no_figure():
    check, answers = build_check()
    empty = check.model_copy(update={"accuracy": None, "labelled": 0, "classes": ()})
    page = check_page(build_field_page(empty, answers.assign(right=None)))
    assert "Nothing is labelled yet" in page.text
    assert "There are none among the labelled pictures." in page.text
