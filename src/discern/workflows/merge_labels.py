"""Joins the labels of several people into one labelling, and says how far they agree."""

import logging
from collections.abc import Sequence
from pathlib import Path

from discern.console import reporting
from discern.counts import count_of
from discern.data.sources.label_journal import JOURNAL_COLUMNS
from discern.errors import OUT, ConfigError, RunFolderError, list_some
from discern.files import read_json, write_atomically
from discern.labelling.journal import format_rows
from discern.labelling.merging import Merged, merge_journals
from discern.run_folder import LABELS
from discern.tuning.shared_folder import DEFINITION, open_shared_folder
from discern.workflows.label import OTHER, define_labelling

logger = logging.getLogger("discern")


def merge_labels(labellings: Sequence[str | Path], *, out: str | Path, verbose: bool = True) -> Merged:
    """Join labellings of the same pictures into one, with which `discern label` goes on and `discern train` begins.

    Of a picture about which people disagree no label holds, so that it is asked again.

    Args:
        labellings: The folders of `discern label` or the labels.csv in them, two or more, with one seed.
        out: The folder to write.
        verbose: Show the agreement and the disagreements on standard output.

    Raises:
        ConfigError: Fewer than two folders are given, or their seeds differ.
        DataError: A labels.csv cannot be read, or its pictures are not where its paths lead.
        RunFolderError: `out` has labels already, or a folder is none of `discern label`.
        WriteError: It cannot be written.
    """
    folders, target = [_find_folder(Path(one)) for one in labellings], Path(out)
    if len(folders) < 2:
        raise ConfigError(f"{count_of(len(folders), 'labelling')} to merge; expected two or more folders")
    seeds = [_read_seed(folder) for folder in folders]
    if len(set(seeds)) > 1:
        raise ConfigError(
            f"these labellings have the seeds {', '.join(map(str, seeds))}, so that each keeps other pictures apart; "
            "expected one seed"
        )
    if (target / LABELS).exists():
        raise RunFolderError(f"{target / LABELS} exists; give another ", OUT)
    with reporting(verbose=verbose):
        merged = merge_journals([folder / LABELS for folder in folders], target)
        open_shared_folder(target, define_labelling(seeds[0], "1/1"), kind="labelling", other=OTHER)
        write_atomically(target / LABELS, format_rows([JOURNAL_COLUMNS, *merged.rows]))
        _log_merged(merged, target)
    return merged


def _find_folder(place: Path) -> Path:
    return place.parent if place.name == LABELS and place.is_file() else place


def _read_seed(folder: Path) -> int:
    try:
        content = read_json(folder / DEFINITION)
        seed = content["seed"]
        if content != define_labelling(seed, content["share"]):
            raise ValueError("it is of something else")
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(
            f"{folder} is no folder of discern label: it has no definition.json. Give folders such as labels/NAME"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{folder} is no folder of discern label: its definition.json: {error}") from None
    return int(seed)


def _log_merged(merged: Merged, folder: Path) -> None:
    for agreement in merged.agreements:
        logger.info("%s", agreement.describe())
    if merged.disagreed:
        listed = [f"{file}: {' or '.join(labels)}" for file, labels in merged.disagreed.items()]
        pictures = count_of(len(listed), "picture")
        logger.warning("people disagree about %s, which discern label asks again:\n%s", pictures, list_some(listed))
    labels = sum(bool(row.label) for row in merged.rows)
    logger.info("written: %s, with %s", folder / LABELS, count_of(labels, "label"))
