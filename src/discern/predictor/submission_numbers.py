"""A sample submission with a column for each class: what its columns and numbers ask for."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.class_finder import ClassFinder, parse_number
from discern.errors import DataError, name_some
from discern.predictor.submission_form import ROUNDING, SubmissionForm, show_cell


def match_columns(names: Sequence[str], class_names: Sequence[str]) -> dict[str, int] | None:
    """Return the class that each column is named as, None unless all are.

    All names may have the same start, as in `probability_cat`. The numbers from 0 stand for classes that have names.
    """
    finder = ClassFinder(class_names)
    has_numbers = any(parse_number(name) is not None for name in class_names)
    places = {} if has_numbers else {str(place): place for place in range(len(class_names))}
    for start in _list_shared_starts(names):
        rest = [name.removeprefix(start) for name in names]
        found = [finder.find(name) for name in rest]
        if len(rest) == len(places) and set(rest) == set(places):
            found = [places[name] for name in rest]
        pairs = {name: index for name, index in zip(names, found, strict=True) if index is not None}
        if len(set(pairs.values())) == len(names):
            return pairs
    return None


def find_number_form(
    answers: pd.DataFrame, columns: Mapping[str, int], class_names: Sequence[str], source: str
) -> SubmissionForm:
    """Return what columns that are named as classes ask for: probabilities, or 1 for one class and 0 for the others.

    Raises:
        DataError: They hold anything else, or ask for several labels of a picture.
    """
    values = _read_numbers(answers, source)
    is_one_hot = _is_one_hot(values, source)
    what = "1 for the most probable class and 0 for the others" if is_one_hot else "the probability of each class"
    if len(columns) == 1:
        what = f"the probability of the class {class_names[next(iter(columns.values()))]}"
    renamed = [f"{name} = {class_names[index]}" for name, index in columns.items() if name != class_names[index]]
    missing = [name for index, name in enumerate(class_names) if index not in columns.values()]
    remarks = []
    if renamed:
        remarks.append(f"its columns were taken as {name_some(renamed)}")
    if missing and len(columns) > 1:
        remarks.append(f"it has no column for {name_some(missing)}")
    if (values.sum(axis=1) > 1 + ROUNDING).any():
        remarks.append("its own rows add up to more than 1 and these never do: does it ask for several labels?")
    return SubmissionForm("; ".join([what, *remarks]), bool(remarks), columns=dict(columns), is_one_hot=is_one_hot)


def _list_shared_starts(names: Sequence[str]) -> list[str]:
    """Return the starts up to a separator that all names have; the empty one is first."""
    starts = ["", *(names[0][: found.end()] for found in re.finditer(r"[_.\s-]+", names[0]))]
    return [start for start in starts if len(names) > 1 or not start if all(name.startswith(start) for name in names)]


def _read_numbers(answers: pd.DataFrame, source: str) -> npt.NDArray[np.float64]:
    """Return the cells (N, C) as numbers, NaN where they are empty."""
    cells = answers.to_numpy(dtype="object")
    numbers = [[parse_number(cell) for cell in row] for row in cells]
    values = np.array([[np.nan if number is None else float(number) for number in row] for row in numbers])
    is_filled = np.array([[bool(cell.strip()) for cell in row] for row in cells])
    odd = cells[is_filled & ~((values >= 0) & (values <= 1))]
    if len(odd):
        raise DataError(
            f"{source} has columns named as classes that hold {name_some(list(map(show_cell, pd.unique(odd))))}; "
            "expected numbers from 0 to 1, since what is known of a picture is the probability of each class"
        )
    return values


def _is_one_hot(values: npt.NDArray[np.float64], source: str) -> bool:
    """Return whether rows have a single 1, not all in one place, which would be a mere example."""
    is_varied = bool(np.isin(values, (0, 1)).all()) and len(np.unique(values, axis=0)) > 1
    counts = values.sum(axis=1)
    if is_varied and (counts > 1).any():
        raise DataError(
            f"{source} asks for several labels of a picture: rows have 1 in several columns. The classifier gives one "
            "class to each picture, so this cannot be answered"
        )
    return is_varied and values.shape[1] > 1 and bool((counts == 1).all())
