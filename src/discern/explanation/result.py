"""What `discern.explain` returns."""

import base64
import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discern.counts import count_of
from discern.errors import ImageProblem

_SHOWN_FIGURES = 5
"""How many figures a notebook shows, and keeps in its file; all are in the folder."""


@dataclass(frozen=True, repr=False)
class Explanations:
    """One row per explained picture, the pictures that could not be read, and the folder of the figures.

    A notebook shows the first figures where the result is the last value of a cell.
    """

    frame: pd.DataFrame
    problems: tuple[ImageProblem, ...]
    folder: Path

    @property
    def figures(self) -> list[Path]:
        """The files of the figures, in the order of the rows."""
        return [self.folder / name for name in self.frame["figure"]]

    def __repr__(self) -> str:
        return f"<Explanations of {count_of(len(self.frame), 'picture')} in {self.folder}>"

    def _repr_html_(self) -> str:
        return "\n".join(self._list_html())

    def _list_html(self) -> Iterator[str]:
        shown = [path for path in self.figures if path.is_file()][:_SHOWN_FIGURES]
        for path in shown:
            encoded = base64.b64encode(path.read_bytes()).decode()
            yield f'<img src="data:image/png;base64,{encoded}" alt="{html.escape(path.stem)}" style="max-width: 100%">'
        yield f"<div>{len(shown)} of {count_of(len(self.frame), 'figure')} in {html.escape(str(self.folder))}</div>"
