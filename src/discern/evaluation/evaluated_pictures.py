"""Which labelled pictures are evaluated."""

from collections.abc import Sequence

from discern.data.sources.load import join_classes
from discern.data.table import SPLITS, ImageTable, parse_split
from discern.errors import DataError, option
from discern.evaluation.predictions import UNSPLIT


def choose_evaluated_split(table: ImageTable, wanted: str | None) -> tuple[str, ImageTable]:
    """Return the name of the split to evaluate and its pictures: the wanted one, or else test, or validation.

    A table without splits is evaluated as a whole, as `UNSPLIT`. Training pictures are evaluated only where wanted.

    Raises:
        DataError: There are no pictures of the wanted split, or training pictures only.
    """
    present = [split for split in SPLITS if len(table.select(split))]
    if wanted is None:
        if not present:
            return UNSPLIT, table
        if present == ["train"]:
            raise DataError(
                f"{table.source} has training pictures only; to evaluate those, add ", option("split", "train")
            )
        wanted = present[-1]
    split = parse_split(wanted)
    if split not in present:
        found = f"its splits are {', '.join(present)}" if present else "it has no splits"
        raise DataError(f"{table.source} has no pictures in a split {wanted!r}; {found}")
    return split, table.select(split)


def join_labels(table: ImageTable, class_names: Sequence[str]) -> ImageTable:
    """Return the table with the classes of a classifier, joined by name.

    Raises:
        DataError: Pictures have no label, or one that is none of the classes.
    """
    unlabelled = int(table.frame["label"].isna().sum())
    if unlabelled:
        raise DataError(f"{table.source}: {unlabelled} of {len(table)} pictures have no label to compare with")
    return join_classes(table, class_names)
