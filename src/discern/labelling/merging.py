"""Joins the labels that several people gave, and says how far they agree."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.metrics import cohen_kappa_score

from discern.counts import count_of
from discern.errors import DataError, list_some
from discern.labelling.journal import COPIES, DISAGREED, UNDONE, JournalRow, name_file, read_journal

_NO_CLASS = "none"


class Agreement(NamedTuple):
    """What two people said of the same pictures: how many there are, of how many they said the same, and Cohen's kappa.

    Kappa is 1 where they always agree and 0 where they do so as often as by chance; None where all answers are one
    class. Pictures that one of them skipped or was unsure about do not count. `places` are the folders that the
    pictures of each lie in.

    Source: Cohen, "A coefficient of agreement for nominal scales", 1960.
    """

    first: str
    second: str
    pictures: int
    agreed: int
    kappa: float | None
    places: tuple[str, str]

    def describe(self) -> str:
        """Return the agreement in one line."""
        if not self.pictures:
            said = f"{self.first} and {self.second} have no picture in common, so nothing is known of their agreement"
            if self.places[0] == self.places[1]:
                return said
            return (
                f"{said}: their pictures lie in {' and '.join(self.places)}. Where these are copies of the same "
                "pictures, labels of one are not compared with those of the other; label them in one place"
            )
        kappa = "" if self.kappa is None else f"; Cohen's kappa {self.kappa:.2f}"
        return f"{self.first} and {self.second} agree on {self.agreed} of {count_of(self.pictures, 'picture')}{kappa}"


class Merged(NamedTuple):
    """The rows of all journals that hold, and the absolute paths about which people disagree, with their labels."""

    rows: Sequence[JournalRow]
    agreements: Sequence[Agreement]
    disagreed: Mapping[str, Sequence[str]]


def merge_journals(paths: Sequence[Path], folder: Path) -> Merged:
    """Join journals into one that lies in `folder`; of a picture about which people disagree nothing holds.

    Raises:
        DataError: One cannot be read, or its pictures are not where its paths lead.
    """
    held = {str(path.parent): _read_held(path) for path in paths}
    _check_files(held)
    names = list(held)
    pairs = [(first, second) for place, first in enumerate(names) for second in names[place + 1 :]]
    agreements = [_compare(first, second, held[first], held[second]) for first, second in pairs]
    rows, disagreed = [], {}
    for file in dict.fromkeys(file for some in held.values() for file in some):
        given = [some[file] for some in held.values() if file in some]
        labels = sorted({_name(row) for row in given if _is_clear(row)})
        last = max((row for row in given if _is_clear(row) or not labels), key=lambda row: row.time)
        path = name_file(file, str(folder.resolve()))
        if len(labels) > 1:
            if any(row.how not in COPIES for row in given):
                disagreed[file] = labels
            rows.append(last._replace(path=path, label="", how=DISAGREED))
        else:
            rows.append(last._replace(path=path))
    return Merged(sorted(rows, key=lambda row: row.time), agreements, disagreed)


def _read_held(path: Path) -> dict[str, JournalRow]:
    """Return the row that holds for each file that has an answer, by its absolute path."""
    folder = path.resolve().parent
    last = {os.path.normpath(folder / row.path): row for row in read_journal(path)}
    return {file: row for file, row in last.items() if row.how not in (UNDONE, DISAGREED) and _is_answer(row)}


def _is_answer(row: JournalRow) -> bool:
    return bool(row.label) or row.how not in COPIES


def _is_clear(row: JournalRow) -> bool:
    """Return whether a person said what the picture shows: a class, or several or none."""
    return bool(row.label) or row.how == _NO_CLASS


def _name(row: JournalRow) -> str:
    return row.label or "none of the classes"


def _check_files(held: Mapping[str, Mapping[str, JournalRow]]) -> None:
    missing = [f"{name}: {file}" for name, some in held.items() for file in some if not Path(file).exists()]
    if missing:
        raise DataError(
            f"{len(missing)} labelled files are not where the labels say:\n{list_some(missing)}\n"
            "Paths start from the folder of each labels.csv: put it where they lead to the pictures."
        )


def _compare(first: str, second: str, one: Mapping[str, JournalRow], other: Mapping[str, JournalRow]) -> Agreement:
    both = [
        (_name(row), _name(other[file]))
        for file, row in one.items()
        if file in other and _is_clear(row) and _is_clear(other[file]) and row.how not in COPIES
    ]
    agreed = sum(left == right for left, right in both)
    is_varied = len({name for pair in both for name in pair}) > 1
    kappa = float(cohen_kappa_score(*np.array(both, dtype=object).T.astype(str))) if is_varied else None
    return Agreement(first, second, len(both), agreed, kappa, (_find_place(one), _find_place(other)))


def _find_place(files: Iterable[str]) -> str:
    """Return the folder that all these files lie in; empty text where there are none, or on different drives."""
    try:
        return os.path.commonpath([os.path.dirname(file) for file in files])  # noqa: PTH120 - a Path takes longer
    except ValueError:
        return ""
