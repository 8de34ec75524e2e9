"""Pictures without a label: which they are, and that they are refused or left out."""

import logging
from typing import Literal

import pandas as pd

from discern.counts import count_of
from discern.data.table import ImageTable, natural_sort
from discern.errors import Advice, DataError, data_setting, list_some, name_some

logger = logging.getLogger("discern")

_MISSING = ("nan", "NaN", "NAN", "<NA>", "NaT")
"""How a missing value reads after a program made text of it."""
_PERHAPS_MISSING = ("na", "n/a", "#n/a", "null", "#na", "none")
"""Words that may be the name of a class as well."""

_WAY_OUT: Advice = (
    "Label them, or leave them out with ",
    data_setting("missing_labels", "drop"),
    ".",
)
_KEEP: Advice = (
    " If the table has a class that is called nan, keep it with ",
    data_setting("missing_labels", "keep"),
    ": only empty cells are missing then.",
)


def is_missing(label: object) -> bool:
    """Return whether a label is none: None, NaN or pd.NA, empty text, or text that was made of one of them."""
    if isinstance(label, str):
        return not label.strip() or label.strip() in _MISSING
    return pd.api.types.is_scalar(label) and bool(pd.isna(label))  # type: ignore[call-overload]


def resolve_missing_labels(
    table: ImageTable, given: ImageTable, policy: Literal["refuse", "drop", "keep"]
) -> tuple[ImageTable, tuple[str, ...]]:
    """Return the pictures that have a label, and the ids of the others, which only the policy "drop" leaves out.

    `given` is the table before fixes, in which the rows are those that the user counts.

    Raises:
        DataError: Pictures have no label and the policy is not "drop", or none has one.
    """
    _warn_of_doubtful_names(table)
    is_unlabelled = table.frame["label"].isna().to_numpy()
    ids = table.frame["id"][is_unlabelled]
    if not len(ids):
        return table, ()
    count = f"{len(ids)} of {len(table)} pictures have no label"
    if policy != "drop" or len(ids) == len(table):
        rows = pd.Index(given.frame["id"]).get_indexer(pd.Index(ids)) + 1
        listed = list_some([f"row {row}: {name}" for row, name in zip(rows.tolist(), ids, strict=True)])
        way = ("Label them.",) if len(ids) == len(table) else _WAY_OUT
        may_keep = len(ids) < len(table) and table.arrays is None and policy != "keep"
        raise DataError(f"{table.source}: {count}:\n{listed}\n", *way, *(_KEEP if may_keep else ()))
    logger.warning("left out: %s", count)
    return table.take((~is_unlabelled).nonzero()[0]), tuple(ids)


def _warn_of_doubtful_names(table: ImageTable) -> None:
    names = natural_sort(name for name in table.class_names if name.strip().casefold() in _PERHAPS_MISSING)
    if names:
        counts = table.frame["label"].value_counts()
        logger.warning(
            "%s: taken for a class: %s. Where that stands for no label, empty their cells or leave these pictures out",
            *(table.source, name_some([f"{name!r} ({count_of(counts[name], 'picture')})" for name in names])),
        )
