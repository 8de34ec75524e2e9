"""Answers in exactly the form of a sample submission: its columns, its ids, its order."""

import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.sources.csv_file import read_cells
from discern.data.table import ImageTable
from discern.errors import DataError, name_some

logger = logging.getLogger("discern")


def fill_submission(
    sample: Path, table: ImageTable, probabilities: npt.NDArray[np.float64], class_names: Sequence[str]
) -> pd.DataFrame:
    """Return the table of a sample submission with its answers replaced by the classifier's.

    The first column holds ids: an id is matched with a picture's id, path, file name, or file name without extension.
    Further columns that are named as classes get the probabilities. One further column of another name gets the class:
    its name, or its number in the order of the classes where the sample has whole numbers and the class names are no
    numbers.

    Raises:
        DataError: The file cannot be read, its ids are repeated or match no picture or several, or its columns are
            neither one label nor the classes.
    """
    form = _read_sample(sample)
    rows = _match_rows(form.iloc[:, 0], table, sample)
    filled = form.copy()
    answer_columns = list(form.columns[1:])
    if set(answer_columns) <= set(class_names):
        for name in answer_columns:
            filled[name] = probabilities[rows, list(class_names).index(name)]
    elif len(answer_columns) == 1:
        predictions = probabilities[rows].argmax(axis=1)
        filled[answer_columns[0]] = _name_answers(form[answer_columns[0]], predictions, class_names)
    else:
        raise DataError(
            f"{sample} has the columns {', '.join(form.columns)}; expected an id and one label column, or an id and "
            f"one column for each of the classes {', '.join(class_names)}"
        )
    return filled


def _read_sample(sample: Path) -> pd.DataFrame:
    form = read_cells(sample)
    if len(form.columns) < 2 or form.empty:
        raise DataError(f"{sample} has {len(form.columns)} columns and {len(form)} rows; expected ids and answers")
    if len(set(form.columns)) < len(form.columns):
        raise DataError(f"{sample} has columns of the same name: {', '.join(form.columns)}")
    ids = form.iloc[:, 0]
    repeated = list(ids[ids.duplicated()].unique())
    if repeated:
        raise DataError(f"{sample} has repeated ids: {name_some(repeated)}")
    return form


def _match_rows(ids: pd.Series, table: ImageTable, sample: Path) -> npt.NDArray[np.int64]:
    """Return for each id the row of its picture."""
    rows_by_name: dict[str, set[int]] = {}
    for row, (picture, path) in enumerate(zip(table.frame["id"], table.frame["path"], strict=True)):
        file = PurePosixPath(str(picture).replace("\\", "/"))
        for name in {str(path), file.name, file.stem}:
            rows_by_name.setdefault(name, set()).add(row)
    # The whole id goes first: it is unique, also where another picture's file name reads the same.
    rows_by_name |= {str(picture): {row} for row, picture in enumerate(table.frame["id"])}
    missing = [name for name in ids if name not in rows_by_name]
    if missing:
        raise DataError(
            f"{sample} asks for {len(missing)} pictures that are not among the inputs: " + name_some(missing)
        )
    unclear = [name for name in ids if len(rows_by_name[name]) > 1]
    if unclear:
        raise DataError(f"{sample} has ids that match several pictures: {name_some(unclear)}; use longer ids")
    return np.array([next(iter(rows_by_name[name])) for name in ids], dtype=np.int64)


def _name_answers(
    examples: pd.Series, predictions: npt.NDArray[np.int64], class_names: Sequence[str]
) -> list[str] | npt.NDArray[np.int64]:
    wants_numbers = all(text.strip().isdecimal() for text in examples)
    has_numbers = all(name.isdecimal() for name in class_names)
    if wants_numbers and not has_numbers:
        numbering = ", ".join(f"{index} = {name}" for index, name in enumerate(class_names))
        logger.warning("the sample submission has numbers, so classes are written as numbers: %s", numbering)
        return predictions
    return [class_names[index] for index in predictions]
