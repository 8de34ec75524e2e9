"""Labels that a person gives to sampled pictures: a class, none of the classes, or that it cannot be told."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from discern.data.class_finder import match_labels
from discern.data.names import match_names
from discern.data.sources.csv_file import read_cells
from discern.errors import DataError, list_some, name_some

LABEL, NONE, SKIP = "label", "none", "skip"
"""What is said of a picture: its class; that it has none of them; that it cannot be told."""
_WORDS = {"none of these": NONE, "cannot tell": SKIP}
"""How a file of labels says the last two."""
_NAMES = ("id", "path", "image")


class GivenLabel(NamedTuple):
    """What is said of a picture; `label` is its class, "" where it has none or it cannot be told."""

    action: str
    label: str = ""


def read_given_labels(path: Path, ids: Sequence[str], class_names: Sequence[str]) -> Mapping[str, GivenLabel]:
    """Return the labels of a CSV file by the ids of the sample; rows without a label are left out.

    Its columns are `label` and one of `id`, `path` and `image`. Classes are joined by name; `none of these` and
    `cannot tell` say the other two.

    Raises:
        DataError: It cannot be read, has rows for other pictures, or labels that mean nothing; all are listed.
    """
    cells = read_cells(path).map(str.strip)
    name = next((column for column in _NAMES if column in cells), None)
    if name is None or "label" not in cells:
        raise DataError(
            f"{path}: its columns are {name_some(list(map(str, cells.columns)))}; expected id and label, such as a "
            "copy of sample.csv with its column label filled in"
        )
    cells = cells[cells["label"] != ""].reset_index(drop=True)
    rows = match_names(cells[name], ids, ends=True)
    strange = [f"row {row + 1}: {cells[name][row]!r}" for row, place in enumerate(rows) if place < 0]
    classes = match_labels(cells["label"].unique(), class_names, str(path))
    unknown = sorted({label for label in cells["label"] if label not in classes and label.casefold() not in _WORDS})
    if strange:
        raise DataError(
            f"{path}: pictures that are not in the sample:\n{list_some(strange)}\nLabel those of sample.csv."
        )
    if unknown:
        raise DataError(
            f"{path}: labels that are none of the classes: {name_some(unknown)}; expected {name_some(class_names)}, "
            f"{' or '.join(_WORDS)}"
        )
    return {
        ids[place]: GivenLabel(LABEL, classes[label]) if label in classes else GivenLabel(_WORDS[label.casefold()])
        for place, label in zip(rows.tolist(), cells["label"], strict=True)
    }
