"""The words of the pages: in one table a page, all of them said, and none missing."""

import json
import re
from importlib.resources import files

import pytest

from discern.exporting.joining import join_modules
from discern.serving.pages import load_pages
from word_tables import check_words, find_said

STATIC, SHARED = files("discern.serving") / "static", files("discern") / "web"
AUDITING = files("discern.auditing")
BUILT = {
    "index": ("fit_", "split_", "answered", "left_unknown", "not_read"),
    "label": ("why_", "reason_", "confirm_"),
    "fieldcheck": (),
    "review": ("kind_", "why_", "split_", "decided_"),
}
"""Beginnings of words that scripts put together, by page."""


def read_words(page):
    return json.loads((STATIC / f"{page}_words.json").read_text())


@pytest.mark.parametrize("page", BUILT)
def test_every_word_of_a_page_is_there_in_every_language_and_said(page):
    words = read_words(page)
    check_words(words)
    html = load_pages()[f"{page}.html"].content.decode()
    script = re.search(r'src="static/([a-z]+\.js)"', html)[1]
    text, _, rest = html.partition('id="words"')
    said = find_said(words, [text, rest.partition("</script>")[2], join_modules(script, STATIC, SHARED)])
    built = {word for word in words if word.startswith(BUILT[page])}
    assert said | built | {"name_of_language"} == set(words)


def test_a_review_has_words_for_every_kind_that_it_asks_about():
    source = "".join(file.read_text() for file in AUDITING.iterdir() if file.name.endswith(".py"))
    found = re.findall(r'(?:build_finding|_Check)\(\s*"(\w+)",\s*"(?:error|warning)"', source)
    unreadable = re.findall(r'^    "(\w+)": \(', source, re.MULTILINE)
    # A class with few pictures is none to decide about; near-duplicates are a note that proposes something.
    kinds = {*found, *unreadable, "near_duplicates", "mistake"} - {"few_pictures"}
    words = read_words("review")
    built = {word for word in words if word.startswith(("kind_", "why_"))}
    assert built == {f"{part}_{kind}" for part in ("kind", "why") for kind in kinds}
