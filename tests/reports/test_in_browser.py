"""The pages in a real browser: silent, closed to the world, sortable, readable on a phone, in the dark and on paper."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from discern.evaluation.intervals import Interval
from discern.reports.audit_page import build_audit_page
from discern.reports.comparison_page import ComparedRun, ComparedWay, ComparisonFacts, build_comparison_page
from discern.workflows.report import report
from saved_runs import HOSTILE_NAMES, make_run

RECALL = "section#classes table.sortable tbody td:nth-child(2)"


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    names = {"two": ["ant", "bee"], "hundred": [f"class {n}" for n in range(100)], "hostile": HOSTILE_NAMES}
    pages = {name: report(make_run(folder / name, classes, per_class=4)) for name, classes in names.items()}
    item = {"ids": list(HOSTILE_NAMES[:2]), "labels": list(HOSTILE_NAMES[3:5]), "suggested_label": HOSTILE_NAMES[3]}
    finding = {"kind": "label_errors", "severity": "error", "title": HOSTILE_NAMES[3], "count": 1, "items": [item]}
    audit = {"count": 9, "source": HOSTILE_NAMES[3], "class_counts": {HOSTILE_NAMES[3]: 9, "10": 1, "9": 3}}
    pages["audit"] = folder / "audit.html"
    pages["audit"].write_text(build_audit_page({**audit, "findings": [finding]}, lambda _: None), encoding="utf-8")
    pages["comparison"] = folder / "comparison.html"
    pages["comparison"].write_text(build_comparison_page(make_comparison(HOSTILE_NAMES)), encoding="utf-8")
    return pages


def make_comparison(names) -> ComparisonFacts:
    ways = tuple(
        ComparedWay(name, "auto", name, Interval(0.7, 0.6, 0.8), Interval(0.1, -0.1, 0.3), name, 60.0, 10**9)
        for name in names
    )
    runs = tuple(ComparedRun(name, 0, 0.7, 60.0, name) for name in names)
    return ComparisonFacts(names[3], 100, 1, ways, runs, names[3])


@pytest.fixture
def open_page(browser, pages) -> Iterator:
    """Open a page by its name; what it says to the console or asks for fails the test."""
    contexts, said, asked = [], [], []

    def open_one(name: str, *, width: int = 1280, **options: object):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(pages[name].as_uri())
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in asked if url.startswith("file:")]) == len(contexts)


def read_numbers(page, selector: str) -> list[float]:
    return [float(value) for value in page.eval_on_selector_all(selector, "cells => cells.map(c => c.dataset.value)")]


@pytest.mark.parametrize("name", ["two", "hundred", "hostile", "audit", "comparison"])
def test_a_page_is_silent_asks_for_nothing_and_fits_a_phone(open_page, name):
    for width in (360, 800, 1280):
        page = open_page(name, width=width)
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length")
    assert broken == 0


def test_a_table_sorts_by_click_and_by_keyboard(open_page):
    page = open_page("hundred")
    recalls = read_numbers(page, RECALL)
    assert recalls == sorted(recalls)
    heading = page.locator("section#classes th", has_text="Recall")
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert read_numbers(page, RECALL) == sorted(recalls, reverse=True)
    names = page.locator("section#classes th", has_text="Class").first
    names.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert names.get_attribute("aria-sort") == "ascending"
    assert heading.get_attribute("aria-sort") is None
    shown = page.locator("section#classes table.sortable tbody th").all_inner_texts()
    assert shown == [f"class {number}" for number in range(100)]
    page.keyboard.press("Space")
    assert page.locator("section#classes table.sortable tbody th").first.inner_text() == "class 99"


def test_without_scripts_the_tables_are_plain_and_complete(open_page):
    page = open_page("hundred", java_script_enabled=False)
    assert page.locator("section#classes table.sortable tbody tr").count() == 100
    assert page.locator("th button").count() == 0


def test_the_keyboard_reaches_the_content_first(open_page):
    page = open_page("two")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_dark_screen_gets_a_dark_page_with_readable_text(open_page):
    colours = {}
    for scheme in ("light", "dark"):
        page = open_page("two", color_scheme=scheme)
        colours[scheme] = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,"
            " getComputedStyle(document.querySelector('figcaption')).color,"
            " getComputedStyle(document.querySelector('.contents a')).color]"
        )
        card, text = page.evaluate(
            "[getComputedStyle(document.querySelector('.chart')).backgroundColor,"
            " getComputedStyle(document.querySelector('.chart text')).fill]"
        )
        assert compute_contrast(card, text) > 15
    assert colours["light"][0] != colours["dark"][0]
    for background, *inks in colours.values():
        for ink in inks:
            assert compute_contrast(background, ink) >= 4.5


def compute_contrast(one: str, other: str) -> float:
    """Return the contrast of two opaque colours as WCAG defines it."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_on_paper_it_is_light_open_and_nothing_scrolls(open_page):
    page = open_page("hundred", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")
    assert page.locator(".contents").is_hidden()
    cut = "[...document.querySelectorAll('.scroll')].filter(b => getComputedStyle(b).overflowY !== 'visible').length"
    assert page.evaluate(cut) == 0
    assert len(page.pdf(format="A4")) > 10_000
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].some(d => !d.open)")


def test_the_counts_of_an_audit_sort_as_numbers(open_page):
    page = open_page("audit")
    heading = page.locator("section#classes th", has_text="Pictures")
    heading.get_by_role("button").click()
    counts = page.locator("section#classes tbody td.number").all_inner_texts()
    assert counts == ["1", "3", "9"]


def test_hostile_names_run_nothing(open_page, pages):
    page = open_page("hostile")
    assert page.evaluate("document.querySelectorAll('main script, img[onerror], svg[onload]').length") == 0
    names = page.locator("section#classes table.sortable tbody th bdi").all_inner_texts()
    assert "<script>alert(1)</script>" in names
    assert json.dumps(HOSTILE_NAMES[5], ensure_ascii=False).strip('"') in names
