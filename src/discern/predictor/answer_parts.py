"""Answers part by part: in memory there is one part at a time, and a kill loses no more than that."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from discern.console import MessageLog
from discern.data.picture_arrays import LazyPictures
from discern.data.table import ImageTable
from discern.errors import ImageProblem, name_some
from discern.files import read_json, write_json
from discern.ownership import owning
from discern.predictor.answers import AnswerForm, AnswerPolicy, build_answers, knows_own_ids, list_classes
from discern.predictor.answers_summary import AnswerSummary, join_summaries, summarize_answers
from discern.predictor.answers_table import join_rows, read_rows, write_rows
from discern.predictor.predictor import Predictor
from discern.predictor.progress import showing_progress
from discern.version import __version__

logger = logging.getLogger("discern")

_MOST_BATCHES = 128
_MOST_PROBABILITIES = 2**24
"""Of the probabilities of a part, which are what takes memory where there are thousands of classes."""

_MADE_FOR_FILE = "made_for.json"


class _PartRecord(BaseModel):
    """What is known of a part besides its rows; written after them, so that a part with a record is complete.

    `classes` are paths of pictures, each with its class, as the user names them and not as a spreadsheet takes them.
    """

    model_config = ConfigDict(frozen=True)

    pictures: str
    summary: AnswerSummary
    classes: tuple[tuple[str, str | None], ...]


class AnswerParts:
    """The parts of a file of answers, in a hidden folder beside it until all of them are there."""

    def __init__(self, file: Path, made_for: Mapping[str, JsonValue], *, csv_safe: bool) -> None:
        self.file = file
        self.folder = name_parts_folder(file)
        self._made_for = made_for
        self._csv_safe = csv_safe
        self._summaries: dict[int, AnswerSummary] = {}
        self._only: pd.DataFrame | None = None

    def find_missing(self, table: ImageTable, part_rows: int) -> list[int]:
        """Return the numbers of the parts of a table that are not there, or whose pictures have changed since."""
        numbers = range(max(1, -(-len(table) // part_rows)))
        if not self._are_made_for_this():
            return list(numbers)
        for number in numbers:
            record = self._read_record(number)
            if (
                record is not None
                and record.pictures
                and record.pictures == _mark_pictures(_take_part(table, number, part_rows))
            ):
                self._summaries[number] = record.summary
        if self._summaries:
            done = sum(summary.answers + len(summary.problems) for summary in self._summaries.values())
            logger.info("an interrupted prediction goes on: %d of %d pictures are done", done, len(table))
        return [number for number in numbers if number not in self._summaries]

    def keep(self, number: int, part: ImageTable, frame: pd.DataFrame, problems: tuple[ImageProblem, ...]) -> None:
        """Write the answers for the rows of a part."""
        write_rows(frame, self._rows_file(number), csv_safe=self._csv_safe, with_header=number == 0)
        summary = summarize_answers(frame, problems)
        record = _PartRecord(pictures=_mark_pictures(part), summary=summary, classes=tuple(list_classes(frame)))
        write_json(self._record_file(number), record.model_dump())
        self._only = None if self._summaries else frame
        self._summaries[number] = summary

    def summarize(self) -> AnswerSummary:
        """Return the summary of all parts."""
        return join_summaries([self._summaries[number] for number in sorted(self._summaries)])

    def list_classes(self) -> Iterator[tuple[str, str | None]]:
        """Yield the path and the class of each picture that was answered, None where it is unknown."""
        for number in sorted(self._summaries):
            record = self._read_record(number)
            yield from () if record is None else record.classes

    def join(self) -> None:
        """Write the file."""
        join_rows([self._rows_file(number) for number in sorted(self._summaries)], self.file)

    def read(self) -> pd.DataFrame:
        """Return all answers: those of the file, with its digits; where one part was all, as they were made."""
        return read_rows(self.file) if self._only is None else self._only

    def remove(self) -> None:
        """Remove the parts."""
        for file in (self.folder / _MADE_FOR_FILE, *self.folder.glob("part-*")):
            file.unlink(missing_ok=True)

    def _are_made_for_this(self) -> bool:
        """Return whether the parts that are there are of the same question; where not, they are removed."""
        path = self.folder / _MADE_FOR_FILE
        with suppress(OSError, ValueError, TypeError):
            earlier = dict(read_json(path))
            if earlier == self._made_for:
                return True
            differing = [
                name for name in self._made_for if name not in earlier or earlier[name] != self._made_for[name]
            ]
            logger.warning(
                "an interrupted prediction has left answers for %s, which were made with another %s; all pictures are "
                "answered anew", self.file, name_some(differing),
            )  # fmt: skip
        self.remove()
        write_json(path, self._made_for)
        return False

    def _read_record(self, number: int) -> _PartRecord | None:
        with suppress(OSError, ValueError, ValidationError):
            record = _PartRecord.model_validate(read_json(self._record_file(number)))
            return record if self._rows_file(number).is_file() else None
        return None

    def _rows_file(self, number: int) -> Path:
        return self.folder / f"part-{number:06}{self.file.suffix}"

    def _record_file(self, number: int) -> Path:
        return self.folder / f"part-{number:06}.json"


def describe_question(
    predictor: Predictor, form: AnswerForm, fingerprint: str, *, csv_safe: bool
) -> dict[str, JsonValue]:
    """Return what answers depend on besides the pictures, for a bundle of this fingerprint."""
    return {
        "bundle": fingerprint,
        "tta": predictor.bundle.tta,
        **form._asdict(),
        "csv_safe": csv_safe,
        "device": predictor.runtime.device.type,
        "precision": predictor.runtime.precision,
        "number of processes": predictor.runtime.processes.count,
        "size of parts": choose_part_rows(predictor),
        "version of discern": __version__,
    }


def name_parts_folder(file: Path) -> Path:
    """Return the folder of the parts of a file."""
    return file.with_name(f".{file.name}.parts")


@contextmanager
def keeping_parts(file: Path, made_for: Mapping[str, JsonValue], *, csv_safe: bool) -> Iterator[AnswerParts]:
    """Yield the parts of a file, which stay for the next call unless the block ends without an error.

    Args:
        file: The file that they will be.
        made_for: Whatever the answers depend on besides the pictures, by its name for people.
        csv_safe: As `write_rows` takes it.

    Raises:
        RunFolderError: Another process writes the same file.
        WriteError: They cannot be written there.
    """
    parts = AnswerParts(file, made_for, csv_safe=csv_safe)
    with owning(parts.folder, "discern predict"):
        yield parts
        parts.remove()
    with suppress(OSError):  # it was there before, or is gone
        parts.folder.rmdir()


def answer_in_parts(
    predictor: Predictor,
    table: ImageTable,
    parts: AnswerParts | None,
    form: AnswerForm,
    policy: AnswerPolicy,
    messages: MessageLog,
) -> AnswerSummary:
    """Answer the pictures that are not answered yet, and return the summary of all answers.

    `parts` are those of the process that writes; in the others of a job they are None.
    """
    processes, part_rows = predictor.runtime.processes, choose_part_rows(predictor)
    missing = processes.gather(None if parts is None else parts.find_missing(table, part_rows))[0] or []
    no_rows = np.empty(0, dtype=np.int64)
    left = table.take(np.concatenate([no_rows, *(_find_rows(table, number, part_rows) for number in missing)]))
    with_own_ids = knows_own_ids(table)
    with predictor.runtime.applied(), showing_progress(messages, -(-len(left) // processes.count)) as advance:
        found_parts = predictor.predict_parts(left, part_rows, similarity=policy.knows_familiarity, advance=advance)
        for number, found in zip(missing, found_parts, strict=False):
            if parts is not None:
                frame = build_answers(
                    found.table,
                    found.probabilities,
                    found.similarities,
                    predictor.class_names,
                    form,
                    policy,
                    with_own_ids=with_own_ids,
                )
                parts.keep(number, _take_part(table, number, part_rows), frame, found.problems)
    (summary,) = filter(None, processes.gather(None if parts is None else parts.summarize()))
    return summary


def choose_part_rows(predictor: Predictor) -> int:
    """Return how many pictures are answered at a time: whole batches, fewer where there are many classes."""
    batch_probabilities = predictor.batch_size * len(predictor.class_names)
    return predictor.batch_size * min(_MOST_BATCHES, max(1, _MOST_PROBABILITIES // batch_probabilities))


def _find_rows(table: ImageTable, number: int, part_rows: int) -> npt.NDArray[np.int64]:
    return np.arange(number * part_rows, min((number + 1) * part_rows, len(table)))


def _take_part(table: ImageTable, number: int, part_rows: int) -> ImageTable:
    return table.take(_find_rows(table, number, part_rows))


def _mark_pictures(part: ImageTable) -> str:
    """Return a hash of the pictures of a part: names, order and sizes of files, and pixels of arrays.

    Pictures that a dataset gives are read only to be answered, so that what was found for them is not used again.
    """
    if isinstance(part.arrays, LazyPictures):
        return ""
    names = "\0".join([*part.frame["id"], *part.frame["path"], *part.frame["own_id"].fillna("")])
    return hashlib.sha256(f"{part.fingerprint()}{names}".encode()).hexdigest()
