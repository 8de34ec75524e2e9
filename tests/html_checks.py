"""What holds of every page: well-formed, complete for those who cannot see it, and closed to the world."""

import re
from html.parser import HTMLParser
from itertools import pairwise

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
SHAPES = {"path", "circle", "rect", "line"}


class Page(HTMLParser):
    """A parsed page: its elements in order, and what is wrong with their nesting."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.problems: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))
        if len({name for name, _ in attrs}) < len(attrs):
            self.problems.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "script"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that is read, with single spaces."""
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def find(self, *tags: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of these kinds."""
        return [attributes for tag, attributes in self.elements if tag in tags]


def check_page(html: str) -> Page:
    """Check a page and return it parsed."""
    page = Page(html)
    assert page.problems == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert all(attributes.get("alt") for attributes in page.find("img"))
    assert all((attributes["src"] or "").startswith("data:image/jpeg;base64,") for attributes in page.find("img"))
    assert all(attributes.get("scope") in ("col", "row") for attributes in page.find("th"))
    assert {tag for tag, _ in page.elements} >= {"main", "nav", "header", "footer", "title"}
    for attributes in page.find("svg"):
        assert attributes.get("role") == "img" or attributes.get("aria-hidden") == "true"
    for _, attributes in page.elements:
        referred = " ".join(attributes.get(name) or "" for name in ("aria-labelledby", "aria-describedby")).split()
        assert set(referred) <= set(ids)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        link = attributes.get("href") or "#"
        assert link.startswith("#") or link == "data:,"
        assert not link.startswith("#") or link == "#" or link[1:] in ids
    assert page.elements.count(("script", {})) == len(page.find("script")) == 1
    return page
