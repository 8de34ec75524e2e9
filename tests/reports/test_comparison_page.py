"""The page of a comparison: its numbers, ways that failed, and that names stay text."""

from discern.evaluation.intervals import Interval
from discern.reports.comparison_page import ComparedRun, ComparedWay, ComparisonFacts, build_comparison_page
from html_checks import Page, check_page
from saved_runs import HOSTILE_NAMES


def make_way(name: str, *, failed: bool = False) -> ComparedWay:
    accuracy = None if failed else Interval(0.7, 0.6, 0.8)
    difference = None if failed else Interval(0.1, -0.1, 0.3)
    return ComparedWay(name, "auto", name, accuracy, difference, name, None if failed else 60.0, 10**9)


def build_page(*ways: ComparedWay) -> Page:
    runs = tuple(
        ComparedRun(way.name, 0, None if way.accuracy is None else 0.7, 60.0, None if way.accuracy else "out of memory")
        for way in ways
    )
    return check_page(build_comparison_page(ComparisonFacts(ways[0].name, 100, 1, ways, runs, ways[0].name)))


def test_every_way_is_drawn_and_listed_with_its_numbers() -> None:
    page = build_page(make_way("resnet18"), make_way("resnet50"))
    (figure,) = [svg for svg in page.find("svg") if svg.get("role") == "img"]
    assert figure["viewbox"]
    assert "resnet18: 70.0\u202f%; resnet50: 70.0\u202f%" in page.texts
    assert "70.0 % 60.0 % to 80.0 % +10.0 points -10.0 to +30.0 60" in page.text


def test_a_way_that_failed_has_its_reason() -> None:
    page = build_page(make_way("resnet18"), make_way("resnet50", failed=True))
    assert "1 run did not complete." in page.text
    assert "out of memory" in page.text


def test_without_a_complete_run_there_is_no_figure() -> None:
    page = build_page(make_way("resnet18", failed=True))
    assert not page.find("svg")


def test_names_stay_text() -> None:
    page = build_page(*map(make_way, HOSTILE_NAMES))
    assert page.texts.count("<script>alert(1)</script>") >= 2
    assert not page.find("img", "b")
