"""Answers in exactly the form of a sample submission: its columns, its ids, its order."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.class_finder import ClassFinder, parse_number
from discern.data.sources.csv_file import find_separator, read_cells
from discern.data.sources.header import check_header
from discern.data.table import ImageTable
from discern.errors import DataError, name_some
from discern.predictor.submission_form import SubmissionForm
from discern.predictor.submission_labels import find_label_form
from discern.predictor.submission_numbers import find_number_form, match_columns
from discern.predictor.submission_pictures import match_pictures

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Submission:
    """A sample submission that is understood: its cells, as text, and what its answer columns ask for.

    The first column holds the ids. `separator` is what stands between its cells.
    """

    source: str
    cells: pd.DataFrame
    form: SubmissionForm
    separator: str

    def choose_pictures(self, table: ImageTable) -> ImageTable:
        """Return the pictures that the sample asks for, in its order.

        Raises:
            DataError: An id matches no picture, or several.
        """
        rows = match_pictures(self.cells.iloc[:, 0], table, self.source)
        if len(rows) < len(table):
            logger.info("the sample asks for %d of the %d pictures; the others are not answered", len(rows), len(table))
        return table.take(rows)

    def is_filled_in(self, file: Path) -> bool:
        """Return whether a file has the columns and the ids of the sample, as an earlier submission does."""
        try:
            cells = read_cells(file)
        except DataError:
            return False
        return list(cells.columns) == list(self.cells.columns) and cells.iloc[:, 0].equals(self.cells.iloc[:, 0])

    def fill(
        self, probabilities: npt.NDArray[np.float64], readable: npt.NDArray[np.bool_] | None = None
    ) -> pd.DataFrame:
        """Return the table of the sample with the answers for the probabilities (M, K) of its `readable` rows (N,).

        Of the other rows, where there are some, the sample's own answer is kept if it is one; the others get the class
        that is answered most often, or the mean of the probabilities.
        """
        is_answered = np.ones(len(self.cells), dtype=np.bool_) if readable is None else readable
        whole = np.empty((len(self.cells), probabilities.shape[1]))
        whole[is_answered] = probabilities
        whole[~is_answered] = self._choose_usual(probabilities)
        answers = pd.DataFrame(self.form.write(whole), index=self.cells.index)
        own = self.cells[answers.columns]
        is_own_answer = [self.form.is_answer(row) for row in own.itertuples(index=False, name=None)]
        is_kept = ~is_answered & np.array(is_own_answer)
        filled = self.cells.copy()
        for name in answers.columns:
            filled[name] = answers[name].where(~is_kept, own[name]) if is_kept.any() else answers[name]
        return filled

    def _choose_usual(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.form.gives_probabilities:
            return np.asarray(probabilities.mean(axis=0))
        counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
        return np.asarray(counts == counts.max(), dtype=np.float64)


def read_submission(sample: Path, class_names: Sequence[str]) -> Submission:
    """Read a sample submission, and say what it asks for.

    Columns named as classes get probabilities; one column of another name gets the class, as the sample spells it: by
    its name, or by its place among the classes where the sample has numbers and no class is one.

    Raises:
        DataError: The file cannot be read, its ids are repeated, or it asks for what a classifier cannot answer.
    """
    cells = _read_sample(sample)
    _check_ids(cells, class_names, str(sample))
    form = _find_form(cells.iloc[:, 1:], class_names, str(sample))
    level = logging.WARNING if form.is_loud else logging.INFO
    logger.log(level, "the sample submission asks for %s", form.note)
    return Submission(str(sample), cells, form, find_separator(sample))


def _read_sample(sample: Path) -> pd.DataFrame:
    cells = read_cells(sample)
    if len(cells.columns) < 2 or cells.empty:
        raise DataError(f"{sample} has {len(cells.columns)} columns and {len(cells)} rows; expected ids and answers")
    check_header(list(cells.columns), sample.parent, str(sample))
    if len(set(cells.columns)) < len(cells.columns):
        raise DataError(f"{sample} has columns of the same name: {name_some(list(cells.columns))}")
    return cells


def _check_ids(cells: pd.DataFrame, class_names: Sequence[str], source: str) -> None:
    """Raise where the first column holds no ids: equal cells, or classes beside another column of ids."""
    ids, finder = cells.iloc[:, 0], ClassFinder(class_names)
    unique = [name for name in cells.columns[1:] if cells[name].is_unique and cells[name].str.strip().all()]
    others = [repr(name) for name in unique if any(finder.find(cell) is None for cell in cells[name])]
    way_on = f". If the ids are in {name_some(others)}, move that column to the front" if others else ""
    repeated = list(ids[ids.duplicated()].unique())
    if repeated:
        raise DataError(f"{source} has repeated ids in its first column, {ids.name!r}: {name_some(repeated)}{way_on}")
    if others and all(finder.find(cell) is not None for cell in ids) and len(cells.columns) == 2:
        raise DataError(f"{source} has classes in its first column, {ids.name!r}; expected ids{way_on}")


def _find_form(answers: pd.DataFrame, class_names: Sequence[str], source: str) -> SubmissionForm:
    """Return what the answer columns of a sample submission ask for: all its columns but that of the ids, as text.

    Raises:
        DataError: They ask for something else than a class, or numbers by class; it is named.
    """
    _check_column_names(answers, class_names, source)
    columns = match_columns(list(answers.columns), class_names)
    if columns is not None:
        return find_number_form(answers, columns, class_names, source)
    if len(answers.columns) == 1:
        return find_label_form(answers.iloc[:, 0], class_names, source)
    finder = ClassFinder(class_names)
    strange = [repr(name) for name in answers.columns if finder.find(name) is None]
    raise DataError(
        f"{source} has {len(answers.columns)} columns of answers, and {name_some(strange)} "
        f"{'is no class' if len(strange) == 1 else 'are no classes'}; expected one column of labels, or one column for "
        f"each of the classes {name_some(class_names)}. Remove the other columns from a copy of the sample"
    )


def _check_column_names(answers: pd.DataFrame, class_names: Sequence[str], source: str) -> None:
    """Raise where the one answer column is named as a class and holds classes: its name is the first answer."""
    finder, name = ClassFinder(class_names), answers.columns[0]
    cells = answers.iloc[:, 0]
    if len(answers.columns) > 1 or finder.find(name) is None or parse_number(name) is not None:
        return
    if all(finder.find(cell) is not None and parse_number(cell) is None for cell in cells):
        raise DataError(
            f"{source}: the first line looks like an answer ({name}) and not like names of columns. Put a line of "
            "names above it, such as id,label"
        )
