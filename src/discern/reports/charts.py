"""Charts as inline SVG: sharp, small, and in the colours of the page, whose stylesheet names them.

Text and attributes are escaped by the XML writer. Every chart says in its title and description what it shows.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from markupsafe import Markup

_WIDTH, _HEIGHT = 440, 280
_LETTER = 6.6  # about the width of a character of the charts' font


class Axis(NamedTuple):
    """One axis: its name, its range, and where its ticks are with their labels."""

    name: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


class Margins(NamedTuple):
    """Space around the plotting area, in units of the chart."""

    left: float = 52
    top: float = 14
    right: float = 14
    bottom: float = 42


def choose_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return up to `most` round numbers from `low` to `high`, apart by 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def build_axis(name: str, low: float, high: float, *, percent: bool = False, whole: bool = False) -> Axis:
    """Make an axis with nice ticks; fractions are labelled in percent."""
    values = choose_ticks(low, high)
    if whole:
        values = [value for value in values if value == round(value)]
    digits = _count_digits([100 * value for value in values] if percent else values)
    labels = [f"{100 * value:.{digits}f}" if percent else f"{value:.{digits}f}" for value in values]
    return Axis(name, low, high, tuple(zip(values, labels, strict=True)))


class Chart:
    """A plotting area with two linear axes."""

    def __init__(
        self,
        chart_id: str,
        title: str,
        description: str,
        x: Axis,
        y: Axis,
        *,
        height: float = _HEIGHT,
        margins: Margins | None = None,
    ) -> None:
        self.x, self.y = x, y
        self.margins = margins or Margins()
        self._height = height
        marks = {"class": "chart", "viewBox": f"0 0 {_WIDTH} {height:g}", "role": "img"}
        labels = {"aria-labelledby": f"{chart_id}-title {chart_id}-description"}
        self._svg = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **marks, **labels})
        _add(self._svg, "title", title, id=f"{chart_id}-title")
        _add(self._svg, "desc", description, id=f"{chart_id}-description")
        self._background = _add(self._svg, "g")
        self._draw_axes()

    def place_x(self, value: float) -> float:
        """Return where a value of the x axis lies, in units of the chart."""
        left, right = self.margins.left, _WIDTH - self.margins.right
        return left + (right - left) * (value - self.x.low) / (self.x.high - self.x.low)

    def place_y(self, value: float) -> float:
        """Return where a value of the y axis lies, in units of the chart."""
        top, bottom = self.margins.top, self._height - self.margins.bottom
        return bottom - (bottom - top) * (value - self.y.low) / (self.y.high - self.y.low)

    def add_line(self, points: Sequence[tuple[float, float]], look: str) -> None:
        """Draw a line through the points whose values are finite, broken where one is not."""
        path, is_open = [], False
        for x, y in points:
            if math.isfinite(y):
                path.append(f"{'L' if is_open else 'M'}{self.place_x(x):.1f} {self.place_y(y):.1f}")
            is_open = math.isfinite(y)
        _add(self._svg, "path", d="".join(path), **{"class": f"line {look}"})

    def add_area(self, upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], look: str) -> None:
        """Fill the area between two lines."""
        corners = [*upper, *reversed(lower)]
        path = "M" + "L".join(f"{self.place_x(x):.1f} {self.place_y(y):.1f}" for x, y in corners) + "Z"
        _add(self._background, "path", d=path, **{"class": f"area {look}"})

    def add_marks(self, points: Sequence[tuple[float, float]], look: str, *, square: bool = False) -> None:
        """Draw a dot, or a small square, at each finite point."""
        for x, y in points:
            if not math.isfinite(y):
                continue
            left, top = self.place_x(x), self.place_y(y)
            if square:
                box = {"x": f"{left - 3:.1f}", "y": f"{top - 3:.1f}", "width": "6", "height": "6"}
                _add(self._svg, "rect", **box, **{"class": f"mark {look}"})
            else:
                _add(self._svg, "circle", cx=f"{left:.1f}", cy=f"{top:.1f}", r="3.2", **{"class": f"mark {look}"})

    def add_ring(self, x: float, y: float, look: str) -> None:
        """Ring a point, with a dotted line down to the x axis."""
        bottom = self._height - self.margins.bottom
        left, top = self.place_x(x), self.place_y(y)
        ends = {"x1": f"{left:.1f}", "x2": f"{left:.1f}", "y1": f"{top:.1f}", "y2": f"{bottom:.1f}"}
        _add(self._svg, "line", **ends, **{"class": f"dotted {look}"})
        _add(self._svg, "circle", cx=f"{left:.1f}", cy=f"{top:.1f}", r="7", **{"class": f"ring {look}"})

    def add_bar(self, x_low: float, x_high: float, y_low: float, y_high: float, look: str) -> None:
        """Fill a rectangle, behind all lines."""
        left, right = self.place_x(x_low), self.place_x(x_high)
        top, bottom = self.place_y(y_high), self.place_y(y_low)
        box = {"x": left, "y": top, "width": max(0.0, right - left), "height": max(0.0, bottom - top)}
        _add(self._background, "rect", **{name: f"{value:.1f}" for name, value in box.items()}, **{"class": look})

    def add_text(self, x: float, y: float, text: str, look: str = "", *, anchor: str = "start", up: float = 0) -> None:
        """Write a text at a point, `up` units above it, moved inwards where it would leave the chart."""
        width = _LETTER * len(text)
        before = {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        left = min(max(self.place_x(x) - before, 0), max(0, _WIDTH - width)) + before
        place = {"x": f"{left:.1f}", "y": f"{self.place_y(y) - up:.1f}", "text-anchor": anchor}
        _add(self._svg, "text", text, **place, **{"class": f"label {look}".strip()})

    def to_markup(self) -> Markup:
        """Return the SVG for a page."""
        return Markup(ElementTree.tostring(self._svg, encoding="unicode"))  # noqa: S704 - the XML writer has escaped it

    def _draw_axes(self) -> None:
        left, right = self.margins.left, _WIDTH - self.margins.right
        top, bottom = self.margins.top, self._height - self.margins.bottom
        for value, label in self.y.ticks:
            place = f"{self.place_y(value):.1f}"
            _add(self._svg, "line", x1=f"{left:g}", x2=f"{right:g}", y1=place, y2=place, **{"class": "grid"})
            spot = {"x": f"{left - 8:g}", "y": f"{self.place_y(value) + 4:.1f}", "text-anchor": "end"}
            _add(self._svg, "text", label, **spot, **{"class": "tick"})
        for value, label in self.x.ticks:
            spot = {"x": f"{self.place_x(value):.1f}", "y": f"{bottom + 17:g}", "text-anchor": "middle"}
            _add(self._svg, "text", label, **spot, **{"class": "tick"})
        base = f"{bottom:g}"
        _add(self._svg, "line", x1=f"{left:g}", x2=f"{right:g}", y1=base, y2=base, **{"class": "axis"})
        middle = {"x": f"{(left + right) / 2:.1f}", "y": f"{self._height - 6:g}", "text-anchor": "middle"}
        _add(self._svg, "text", self.x.name, **middle, **{"class": "axis-name"})
        side = {"transform": f"translate(13 {(top + bottom) / 2:.1f}) rotate(-90)", "text-anchor": "middle"}
        _add(self._svg, "text", self.y.name, **side, **{"class": "axis-name"})


def draw_interval(value: float, low: float, high: float, *, mark: float | None, label: str) -> Markup:
    """Draw a fraction with its interval on a scale from 0 to 100 %, as wide as the page gives it room.

    `mark` is a fraction to compare with, such as the share of the largest class.
    """
    svg = Element("svg", {"class": "interval", "role": "img", "width": "100%", "height": "76", "aria-label": label})
    _add(svg, "rect", x="0", y="30", width="100%", height="10", rx="5", **{"class": "track"})
    for tick in range(0, 101, 25):
        anchor = "start" if tick == 0 else "end" if tick == 100 else "middle"
        _add(svg, "line", x1=f"{tick}%", x2=f"{tick}%", y1="44", y2="49", **{"class": "axis"})
        _add(svg, "text", f"{tick}\u202f%", x=f"{tick}%", y="65", **{"class": "tick", "text-anchor": anchor})
    width = max(high - low, 0.004)
    _add(
        svg,
        "rect",
        x=f"{100 * low:.2f}%",
        y="26",
        width=f"{100 * width:.2f}%",
        height="18",
        rx="4",
        **{"class": "band"},
    )
    if mark is not None:
        _add(svg, "line", x1=f"{100 * mark:.2f}%", x2=f"{100 * mark:.2f}%", y1="20", y2="46", **{"class": "chance"})
        anchor = "start" if mark < 0.15 else "end" if mark > 0.85 else "middle"
        _add(svg, "text", "chance", x=f"{100 * mark:.2f}%", y="14", **{"class": "tick", "text-anchor": anchor})
    _add(svg, "circle", cx=f"{100 * value:.2f}%", cy="35", r="6", **{"class": "dot"})
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - the XML writer has escaped it


def draw_small_interval(value: float, low: float, high: float) -> Markup:
    """Draw a fraction with its interval as small as a word, for tables that say the numbers as well."""
    marks = {"class": "small-interval", "viewBox": "0 0 100 12", "aria-hidden": "true", "width": "80", "height": "10"}
    svg = Element("svg", {**marks, "preserveAspectRatio": "none"})
    _add(svg, "rect", x="0", y="5", width="100", height="2", **{"class": "track"})
    _add(
        svg,
        "rect",
        x=f"{100 * low:.1f}",
        y="3",
        width=f"{max(1.0, 100 * (high - low)):.1f}",
        height="6",
        **{"class": "band"},
    )
    _add(svg, "rect", x=f"{100 * value - 1:.1f}", y="0", width="2.4", height="12", **{"class": "dot"})
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - the XML writer has escaped it


def draw_share(share: float) -> Markup:
    """Draw a bar as long as a share of the room that a table gives it; the table says the number as well."""
    svg = Element("svg", {"class": "share", "aria-hidden": "true", "width": "100%", "height": "10"})
    _add(svg, "rect", x="0", y="1", width=f"{100 * share:.2f}%", height="8", rx="2", **{"class": "band"})
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - the XML writer has escaped it


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    child = ElementTree.SubElement(parent, tag, attributes)
    child.text = text
    return child


def _count_digits(values: Sequence[float]) -> int:
    """Return how many digits behind the point tell all values apart from rounded ones."""
    return next((digits for digits in range(4) if all(abs(v - round(v, digits)) < 1e-9 for v in values)), 4)
