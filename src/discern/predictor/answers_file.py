"""The table of answers, and the list of pictures that could not be read."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from discern.counts import count_of, is_are
from discern.data.reading.preflight import save_bad_files
from discern.errors import OUT, OVERWRITE, ConfigError, ImageProblem, name_some
from discern.evaluation.familiarity import UNFAMILIAR, Familiarity
from discern.files import write_table
from discern.predictor.answers import NOT_SURE, UNKNOWN, AnswerPolicy

logger = logging.getLogger("discern")


_FIRST_COLUMNS = ("id", "path", "label", "confidence")
_SEPARATORS = {".csv": ",", ".tsv": "\t", "": ","}
_BAD_FILES_HEADER = "path,reason"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def check_answers_form(file: Path) -> None:
    """Raise where the name of a file asks for a form that answers are not written in.

    Raises:
        ConfigError: Its extension is none of those of the forms, or it stands for standard output.
    """
    if str(file) == "-":
        raise ConfigError("answers are not written to standard output; ", OUT, " needs the name of a .csv or .tsv file")
    if file.suffix.lower() not in _SEPARATORS and not file.is_dir():
        raise ConfigError(
            f"{file}: answers are not written as {file.suffix}; ",
            OUT,
            " needs a name that ends in .csv (commas) or .tsv (tabs), which spreadsheets open too",
        )


def check_answers_file(
    file: Path, sources: Iterable[str], is_earlier: Callable[[Path], bool], *, overwrite: bool
) -> None:
    """Raise before any work when the answers cannot be written to a file, or would replace what is no earlier answers.

    Raises:
        ConfigError: It is a folder, one of the sources, or, without `overwrite`, a file that is not `is_earlier`.
    """
    if file.is_dir():
        raise ConfigError(f"{file} is a folder; ", OUT, " needs the name of a .csv or .tsv file")
    if file.exists() and file.resolve() in {Path(source).resolve() for source in sources if source}:
        raise ConfigError(f"{file} is one of the inputs and would be replaced by the answers; give another ", OUT)
    is_strange = file.exists() and not is_earlier(file)
    problems = _name_problems(file)
    is_strange_list = problems.exists() and not _begins_with(problems, _BAD_FILES_HEADER)
    if (is_strange or is_strange_list) and not overwrite:
        strange = file if is_strange else problems
        raise ConfigError(
            f"{strange} exists and was not written as such answers; give another ",
            OUT,
            ", or replace it with ",
            OVERWRITE,
        )
    file.parent.mkdir(parents=True, exist_ok=True)


def holds_answers(file: Path) -> bool:
    """Return whether a file begins as a table of answers does."""
    return _begins_with(file, _separator_of(file).join(_FIRST_COLUMNS))


def write_answers(frame: pd.DataFrame, problems: Sequence[ImageProblem], file: Path, *, csv_safe: bool = False) -> None:
    """Write the answers, with tabs to a .tsv file and else as CSV, and the problems to a CSV beside them.

    With `csv_safe`, texts that a spreadsheet would take for a formula begin with an apostrophe.
    """
    write_table(_disarm(frame) if csv_safe else frame, file, separator=_separator_of(file))
    logger.info("%s in %s", count_of(len(frame), "answer"), file)
    write_problems(problems, _name_problems(file))


def _separator_of(file: Path) -> str:
    return _SEPARATORS[file.suffix.lower()]


def _name_problems(file: Path) -> Path:
    return file.with_name(f"{file.stem}.bad_files.csv")


def _begins_with(file: Path, columns: str) -> bool:
    try:
        with file.open(encoding="utf-8-sig") as opened:
            return opened.readline(10_000).startswith(columns)
    except (OSError, ValueError):
        return False


def _disarm(frame: pd.DataFrame) -> pd.DataFrame:
    def disarm(value: object) -> object:
        return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_STARTS) else value

    return frame.map(disarm).rename(columns=disarm)


def write_problems(problems: Sequence[ImageProblem], file: Path) -> None:
    """List the pictures that could not be read; without any, remove the list of an earlier call."""
    if problems:
        save_bad_files(problems, file)
        logger.warning("%s could not be read; see %s", count_of(len(problems), "picture"), file)
    else:
        file.unlink(missing_ok=True)


def log_familiarity(ids: Sequence[str], familiarity: Familiarity | None) -> None:
    """Warn of pictures that are unlike the training pictures, whose labels mean little."""
    if familiarity is None:
        logger.warning(
            "the bundle has no feature bank or no validation pictures: pictures unlike the training pictures are not "
            "recognised"
        )
    elif familiarity.is_unfamiliar.any():
        names = [name for name, is_unlike in zip(ids, familiarity.is_unfamiliar, strict=True) if is_unlike]
        count = f"{len(names)} of {count_of(len(ids), 'picture')} {is_are(len(names))}"
        logger.warning("%s %s, so that the labels mean little: %s", count, UNFAMILIAR, name_some(names, shown=5))


def log_unknown(frame: pd.DataFrame, policy: AnswerPolicy) -> None:
    """Log how many pictures are "unknown", why, and how the limit was chosen."""
    if policy.point is None:
        return
    counts = frame["reason"].value_counts()
    reasons = ", ".join(f"{counts[reason]} {reason}" for reason in (NOT_SURE, UNFAMILIAR) if reason in counts)
    unknown = int((frame["label"] == UNKNOWN).sum())
    count = f"{unknown} of {count_of(len(frame), 'picture')} {is_are(unknown)}"
    logger.info("%s unknown%s", count, f": {reasons}" if reasons else "")
    logger.info("%s", policy.point.describe())
