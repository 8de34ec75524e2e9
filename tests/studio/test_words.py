"""The words of the page: in one table, all of them said, and none missing."""

import json
from importlib.resources import files

from discern.serving.pages import load_pages
from word_tables import check_words, find_said

STATIC = files("discern.studio") / "static"
WORDS = json.loads((STATIC / "studio_words.json").read_text())
BUILT = ("kind_", "state_", "left_", "split_", "curve_", "column_", "run_epoch", "run_fold")
"""Beginnings of words that scripts put together."""


def test_every_word_is_there_in_each_language():
    check_words(WORDS)


def test_the_page_says_all_of_them_and_no_others():
    page = load_pages("discern.studio")["studio.html"].content.decode()
    scripts = [file.read_text() for file in STATIC.iterdir() if file.name.endswith(".js")]
    said = find_said(WORDS, [page.partition('id="words"')[0], page.partition("</script>")[2], *scripts])
    missing = said - set(WORDS)
    unsaid = {word for word in set(WORDS) - said if not word.startswith(BUILT)}
    assert (missing, unsaid - {"name_of_language", "tabs"}) == (set(), set())
