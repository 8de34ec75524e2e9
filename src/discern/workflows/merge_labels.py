"""Joins the labels of several people into one file, and says how far they agree."""

import logging
from collections.abc import Sequence
from pathlib import Path

from discern.console import reporting
from discern.counts import count_of
from discern.data.sources.label_journal import JOURNAL_COLUMNS
from discern.errors import OUT, ConfigError, RunFolderError, name_some
from discern.files import write_atomically
from discern.labelling.journal import format_rows
from discern.labelling.merging import Merged, merge_journals

logger = logging.getLogger("discern")


def merge_labels(labels: Sequence[str | Path], *, out: str | Path, verbose: bool = True) -> Merged:
    """Join files labels.csv of `discern label` into one; a picture about which people disagree is to be asked again.

    Args:
        labels: The files, two or more.
        out: The file to write, which must not exist. In a new folder of its own, `discern label` goes on with it.
        verbose: Show the agreement and the disagreements on standard output.

    Raises:
        ConfigError: Fewer than two files are given.
        DataError: One cannot be read, or its pictures are not where its paths lead.
        RunFolderError: `out` exists.
        WriteError: It cannot be written.
    """
    path = Path(out)
    if len(labels) < 2:
        raise ConfigError(f"{count_of(len(labels), 'file')} of labels; expected two or more to merge")
    if path.exists():
        raise RunFolderError(f"{path} exists; give another ", OUT)
    with reporting(verbose=verbose):
        merged = merge_journals([Path(one) for one in labels], path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, format_rows([JOURNAL_COLUMNS, *merged.rows]))
        for agreement in merged.agreements:
            logger.info("%s", agreement.describe())
        if merged.disagreed:
            listed = [f"{file}: {' or '.join(labels)}" for file, labels in merged.disagreed.items()]
            logger.warning("no label holds for %d where people disagree: %s", len(listed), name_some(listed))
        labelled = sum(bool(row.label) for row in merged.rows)
        logger.info("written: %s, with %s", path, count_of(labelled, "label"))
    return merged
