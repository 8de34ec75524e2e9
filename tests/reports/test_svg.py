"""Figures as part of a page: closed, with ids of their own, the same every time, and safe whatever they say."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from discern.plots.ladder import plot_ladder
from discern.plots.style import build_figure
from discern.reports.svg import figure_to_svg
from html_checks import Page
from saved_runs import HOSTILE_NAMES

DRAWN = {"svg", "title", "desc", "g", "defs", "use", "path", "rect", "text", "tspan", "clippath"}


def draw_lines(*names: str) -> Figure:
    figure = build_figure(4, 3)
    figure.set_layout_engine("none")
    axes = figure.subplots()
    for name in names:
        axes.plot([0, 1], [0, 1], marker="o", label=name)
        axes.text(0.5, 0.5, name, rotation=90, parse_math=False)
    axes.fill_between([0, 1], [0, 1], [1, 2], alpha=0.2)
    return figure


def parse(svg: str) -> Page:
    page = Page(svg)
    assert page.problems == []
    return page


def test_a_figure_has_a_title_a_description_and_no_size_of_its_own() -> None:
    page = parse(figure_to_svg(draw_lines("ant"), title="Lines <1>", description="up & down"))
    (svg,) = page.find("svg")
    assert svg["viewbox"] == "0 0 288 216"
    assert svg["role"] == "img"
    assert not {"width", "height"} & svg.keys()
    title, description = page.find("title")[0]["id"], page.find("desc")[0]["id"]
    assert svg["aria-labelledby"] == f"{title} {description}"
    assert page.text.split("up & down")[0].strip() == "Lines <1>"
    assert "ant" in page.text


def test_nothing_is_left_that_the_policy_of_a_page_refuses() -> None:
    page = parse(figure_to_svg(draw_lines("ant"), title="a", description="b"))
    assert not page.find("style", "script", "metadata", "image")
    for _, attributes in page.elements:
        assert not {"style", "xmlns", "xmlns:xlink", "xlink:href", "font-family"} & attributes.keys()
    assert {attributes["fill"] for attributes in page.find("path") if "fill" in attributes} > {"none"}


def test_all_references_are_to_ids_of_the_same_figure_and_no_other_figure_has_them() -> None:
    pages = [
        parse(figure_to_svg(draw_lines(name), title=title, description="b"))
        for name, title in (("ant", "a"), ("bee", "a"), ("ant", "c"))
    ]
    ids = [{attributes["id"] for _, attributes in page.elements if "id" in attributes} for page in pages]
    assert len(set.union(*ids)) == sum(map(len, ids))
    for page, own in zip(pages, ids, strict=True):
        values = [value for _, attributes in page.elements for value in attributes.values() if value]
        references = {found for value in values for found in re.findall(r"(?:^|url\()#(f\w+-\w+)", value)}
        assert len(references) >= 2
        assert references <= own


def test_the_same_figure_gives_the_same_text() -> None:
    texts = {str(figure_to_svg(draw_lines("ant", "bee"), title="a", description="b")) for _ in range(3)}
    assert len(texts) == 1


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, r"$\broken$", "\0\x1b[31m", "日本語", "a\nb"])
def test_names_stay_text(name: str) -> None:
    page = parse(figure_to_svg(draw_lines(name), title=name, description=name))
    assert {tag for tag, _ in page.elements} <= DRAWN
    for _, attributes in page.elements:
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
    if name in HOSTILE_NAMES:
        assert page.texts.count(name) >= 3


def test_a_ladder_of_hostile_names_is_drawn_without_a_warning() -> None:
    columns = {column: np.full(len(HOSTILE_NAMES), 0.5) for column in ("accuracy", "difference")}
    ends = {
        f"{column}_{end}": values + shift
        for column, values in columns.items()
        for end, shift in (("low", -0.1), ("high", 0.1))
    }
    table = pd.DataFrame({"name": HOSTILE_NAMES, **columns, **ends, "seconds": 1.0})
    page = parse(figure_to_svg(plot_ladder(table), title="a", description="b"))
    assert "<script>alert(1)</script>" in page.texts
