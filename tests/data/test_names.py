import unicodedata

from discern.data.names import match_names, name_key

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Café/é.png") for form in ("NFC", "NFD"))


def test_key_does_not_depend_on_unicode_form_or_separator() -> None:
    assert COMPOSED != DECOMPOSED
    assert name_key(DECOMPOSED) == name_key(COMPOSED) == name_key("Café\\é.png") == COMPOSED
    assert name_key("a/b.png") == "a/b.png"


def test_names_match_by_spelling_then_by_key() -> None:
    assert match_names([COMPOSED, "a\\b.png", "c"], ["a/b.png", DECOMPOSED]).tolist() == [1, 0, -1]


def test_two_known_names_of_one_key_match_only_as_they_are_written() -> None:
    known = [COMPOSED, DECOMPOSED, "x"]
    assert match_names([DECOMPOSED, COMPOSED, "Café\\é.png"], known).tolist() == [1, 0, -1]


def test_nothing_wanted_and_nothing_known() -> None:
    assert match_names([], ["a"]).tolist() == []
    assert match_names(["a"], []).tolist() == [-1]


def test_ends_of_names() -> None:
    wanted = ["/old/red/1.png", "C:\\old\\red\\1.png", "/old/1.png", "/old/reds/1.png", f"/old/{COMPOSED}"]
    assert match_names(wanted, ["red/1.png", "1.png", DECOMPOSED], ends=True).tolist() == [0, 0, -1, -1, 2]
    assert match_names(["/old/1.png"], ["1.png", "2.png"], ends=True).tolist() == [0]
    assert match_names(["/old/1.png"], ["1.png"]).tolist() == [-1]
