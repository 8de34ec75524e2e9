"""Tables with one column a class, which hold 0 and 1: joined into one column of labels."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.errors import DataError, data_setting, list_some, name_some

logger = logging.getLogger("discern")

_MEANINGS = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "-1": 0, "-1.0": 0, "false": 0}


def join_class_columns(
    raw: Mapping[str, "pd.Series[Any]"], candidates: Sequence[str], source: str
) -> dict[str, "pd.Series[Any]"]:
    """Return the columns of a table with one column `label` in place of one a class, where it has such.

    These are the candidates that hold 0 and 1 alone, if all candidates do or each row has 1 in one of them.

    Raises:
        DataError: Rows have 1 in several of them, or in none.
    """
    read = {name: _read_flags(raw[name]) for name in candidates}
    flags = pd.DataFrame({name: cells for name, cells in read.items() if cells is not None})
    counts = flags.sum(axis="columns")
    if flags.shape[1] < 2 or (flags.shape[1] < len(candidates) and (counts != 1).any()):
        return dict(raw)
    _check_counts(flags, counts.to_numpy(), source)
    names = list(flags.columns)
    logger.info("%s: the label is the column with 1 of %s", source, name_some(names))
    labels = pd.Series([names[place] for place in flags.to_numpy().argmax(axis=1)], dtype="object")
    return {**{name: cells for name, cells in raw.items() if name not in names}, "label": labels}


def _check_counts(flags: pd.DataFrame, counts: npt.NDArray[np.int64], source: str) -> None:
    odd = np.flatnonzero(counts != 1).tolist()
    if odd:
        names = np.array(flags.columns)
        shown = [f"row {row + 1}: {name_some(names[flags.iloc[row] == 1].tolist()) or 'none'}" for row in odd]
        raise DataError(
            f"{source}: the columns {name_some(names.tolist())} look like one for each class, but of {len(flags)} rows "
            f"{(counts > 1).sum()} have 1 in several of them and {(counts == 0).sum()} in none:\n{list_some(shown)}\n"
            "A picture has one class here. Leave out the rows with several, and add a column such as other for those "
            "with none; or name one of these columns, to tell its 0 from its 1: ",
            data_setting("label_column", "NAME"),
            ".",
        )


def _read_flags(cells: "pd.Series[Any]") -> "pd.Series[int] | None":
    """Return the cells as 0 and 1; None where they hold anything else."""
    try:
        values = cells.unique()
    except TypeError:  # cells that are lists or arrays
        return None
    if not 0 < len(values) <= len(_MEANINGS):
        return None
    meanings = {value: _MEANINGS.get(str(value).strip().casefold()) for value in values}
    return None if None in meanings.values() else cells.map(meanings).astype("int64")
