"""Writes figures to files."""

import warnings
from pathlib import Path

from matplotlib.figure import Figure

from discern.files import replacing
from discern.plots.fonts import complete_fonts

_PNG_COMPRESSION = 3
"""Takes half the time of Pillow's own choice, for files a tenth larger."""


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, atomically."""
    complete_fonts(figure)
    with replacing(Path(path)) as temporary, warnings.catch_warnings():
        # `complete_fonts` has said it; one more warning for each character would bury everything else.
        warnings.filterwarnings("ignore", message="(?s)Glyph .* missing from font")
        figure.savefig(temporary, format="png", dpi=150, pil_kwargs={"compress_level": _PNG_COMPRESSION})


def replace_figure(figure: Figure | None, path: str | Path) -> None:
    """Write a figure, or remove an earlier one where there is nothing to draw."""
    if figure is None:
        Path(path).unlink(missing_ok=True)
    else:
        save_figure(figure, path)
