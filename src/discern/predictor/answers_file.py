"""The file of answers, and the list of pictures that could not be read."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from discern.counts import count_of
from discern.data.reading.preflight import save_bad_files
from discern.errors import OUT, OVERWRITE, ConfigError, ImageProblem
from discern.predictor.answers_table import begins_with

logger = logging.getLogger("discern")

_BAD_FILES_HEADER = "path,reason"


def check_answers_file(
    file: Path, sources: Iterable[str], is_earlier: Callable[[Path], bool], *, overwrite: bool
) -> None:
    """Raise before any work when the answers cannot be written to a file, or would replace what is no earlier answers.

    Raises:
        ConfigError: It is a folder, one of the sources, or, without `overwrite`, a file that is not `is_earlier`.
    """
    if file.is_dir():
        raise ConfigError(f"{file} is a folder; ", OUT, " needs the name of a .csv, .tsv or .parquet file")
    if file.exists() and file.resolve() in {Path(source).resolve() for source in sources if source}:
        raise ConfigError(f"{file} is one of the inputs and would be replaced by the answers; give another ", OUT)
    is_strange = file.exists() and not is_earlier(file)
    problems = _name_problems(file)
    is_strange_list = problems.exists() and not begins_with(problems, _BAD_FILES_HEADER)
    if (is_strange or is_strange_list) and not overwrite:
        strange = file if is_strange else problems
        raise ConfigError(
            f"{strange} exists and was not written as such answers; give another ",
            OUT,
            ", or replace it with ",
            OVERWRITE,
        )
    file.parent.mkdir(parents=True, exist_ok=True)


def report_file(file: Path, count: int, problems: Sequence[ImageProblem]) -> None:
    """Log that the answers are in a file, and list the pictures that could not be read in a CSV beside it."""
    logger.info("%s in %s", count_of(count, "answer"), file)
    write_problems(problems, _name_problems(file))


def write_problems(problems: Sequence[ImageProblem], file: Path) -> None:
    """List the pictures that could not be read; without any, remove the list of an earlier call."""
    if problems:
        save_bad_files(problems, file)
        logger.warning("%s could not be read; see %s", count_of(len(problems), "picture"), file)
    else:
        file.unlink(missing_ok=True)


def _name_problems(file: Path) -> Path:
    return file.with_name(f"{file.stem}.bad_files.csv")
