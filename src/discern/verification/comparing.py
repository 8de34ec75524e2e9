"""Compares what was published with what was computed again: nested numbers, tables, and the texts of a page."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from html.parser import HTMLParser
from typing import Any, TypeGuard

from discern.errors import cut
from discern.verification.checks import Check

_TOLERANCE = 1e-9
"""Relative, for the last bits in which machines and versions of libraries differ."""
_MISSING = object()
_MAX_SHOWN = 80


def compare_numbers(name: str, published: object, computed: object) -> Check:
    """Compare nested numbers and texts, as JSON has them; they agree to nine digits or are equal."""
    pairs = list(_pair(published, computed, ""))
    wrong = tuple(
        f"{place or 'its content'} is {_show(one)}, computed {_show(other)}"
        for place, one, other in pairs
        if not _agree(one, other)
    )
    return Check(name=name, kind="number", count=len(pairs), disagreements=wrong)


def compare_tables(name: str, published: str, computed: str) -> Check:
    """Compare two CSV texts cell by cell; rows are named by their first cell."""
    header, *rows = list(csv.reader(io.StringIO(published))) or [[]]
    expected_header, *expected = list(csv.reader(io.StringIO(computed)))
    if header != expected_header or len(rows) != len(expected):
        text = (
            f"it has {len(rows)} rows of {_show(', '.join(header))}; computed {len(expected)} rows of "
            f"{_show(', '.join(expected_header))}"
        )
        return Check(name=name, kind="number", count=1, disagreements=(text,))
    wrong = [
        f"{column} of {_show(right[0])} in row {number} is {_show(found)}, computed {_show(cell)}"
        for number, (row, right) in enumerate(zip(rows, expected, strict=True), start=1)
        for column, found, cell in zip(header, [*row, *[""] * (len(right) - len(row))], right, strict=False)
        if found != cell
    ]
    wrong += [f"row {place} has {len(row)} cells" for place, row in enumerate(rows, 1) if len(row) > len(header)]
    return Check(name=name, kind="number", count=len(rows) * len(header), disagreements=tuple(wrong))


def compare_pages(name: str, published: str, computed: str, *, apart_from: Sequence[str]) -> Check:
    """Compare the texts of two pages, except those in the elements with these ids or names."""
    texts, expected = (_Texts.read(page, apart_from) for page in (published, computed))
    wrong = [
        f"it says {_show(' '.join(texts[a:b]))} where the numbers give {_show(' '.join(expected[c:d]))}"
        for kind, a, b, c, d in SequenceMatcher(None, texts, expected, autojunk=False).get_opcodes()
        if kind != "equal"
    ]
    return Check(name=name, kind="text", count=len(expected), disagreements=tuple(wrong))


def _pair(published: object, computed: object, place: str) -> Iterator[tuple[str, object, object]]:
    """Yield each published value with the computed one in the same place; one that lacks the other gets no value."""
    one, other = _list_parts(published), _list_parts(computed)
    if one is None or other is None:
        yield place, published, computed
        return
    for key in dict.fromkeys([*one, *other]):
        yield from _pair(one.get(key, _MISSING), other.get(key, _MISSING), f"{place}.{key}" if place else str(key))


def _list_parts(value: object) -> Mapping[Any, object] | None:
    if isinstance(value, dict):
        return value
    return dict(enumerate(value)) if isinstance(value, list | tuple) else None


def _agree(published: object, computed: object) -> bool:
    if _is_number(published) and _is_number(computed):
        return math.isclose(published, computed, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE**2)
    return type(published) is type(computed) and published == computed


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) in (int, float)


def _show(value: object) -> str:
    if value is _MISSING:
        return "missing"
    return cut(repr(value) if isinstance(value, str) else str(value), _MAX_SHOWN)


class _Texts(HTMLParser):
    """Gathers what a page says: its texts, and those of attributes that are read aloud or shown."""

    _UNSEEN = ("script", "style")
    _SPOKEN = ("title", "aria-label", "alt")
    _VOID = ("meta", "link", "img", "br", "input", "hr", "path", "use", "rect", "line", "circle", "col", "wbr")

    def __init__(self, apart_from: Sequence[str]) -> None:
        super().__init__()
        self._apart_from = apart_from
        self._open: list[tuple[str, bool]] = []
        self.texts: list[str] = []

    @classmethod
    def read(cls, page: str, apart_from: Sequence[str]) -> list[str]:
        parser = cls(apart_from)
        parser.feed(page)
        return parser.texts

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        is_left_out = tag in (*self._UNSEEN, *self._apart_from) or values.get("id") in self._apart_from
        if not self._is_left_out():
            self.texts += [str(values[name]) for name in self._SPOKEN if values.get(name)]
        if tag not in self._VOID:
            self._open.append((tag, is_left_out))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        places = [place for place, (name, _) in enumerate(self._open) if name == tag]
        if places:
            del self._open[places[-1] :]

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._is_left_out():
            self.texts.append(" ".join(data.split()))

    def _is_left_out(self) -> bool:
        return any(is_left_out for _, is_left_out in self._open)
