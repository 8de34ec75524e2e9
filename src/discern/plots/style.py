"""The look that all figures share."""

import warnings
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from discern.errors import one_line

# Blue, orange and vermilion of Okabe and Ito's palette, which colour-blind readers can distinguish.
TRAIN_COLOR = "#0072B2"
VALIDATION_COLOR = "#E69F00"
MISTAKE_COLOR = "#D55E00"
MUTED_COLOR = "0.4"


class ShownFigure(Figure):
    """A figure that a notebook shows where it is the value of a cell, whether or not pyplot is in use there."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png", bbox_inches="tight")
        return file.getvalue()


def build_figure(width_inches: float, height_inches: float, *, is_arranged: bool = False) -> Figure:
    """Make an empty figure outside pyplot, so that it is freed after use and threads do not share it.

    One whose parts are arranged already is drawn once when it is saved, and not a first time to find their places.
    """
    figure = ShownFigure(figsize=(width_inches, height_inches), layout=None if is_arranged else "constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy_axes(axes: Axes) -> None:
    """Keep a light grid and the left and lower axis, and hide all other lines."""
    axes.grid(visible=True, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def measure_points(text: str, font_points: float) -> float:
    """Return the width of one line of text."""
    with warnings.catch_warnings():
        # Characters that the font lacks are drawn as boxes; a warning for each would hide all other messages.
        warnings.filterwarnings("ignore", message="(?s)Glyph .* missing from font")
        width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=font_points), ismath=False)
    return float(width)


def shorten_middle(text: str, *, width_points: float, font_points: float) -> str:
    """Return a text in one line, without the middle if it is too wide: similar names often differ at the end."""
    shortened = text = one_line(text)
    kept = len(text)
    while kept > 2 and measure_points(shortened, font_points) > width_points:
        kept -= 1
        tail = kept // 2
        shortened = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
    return shortened
