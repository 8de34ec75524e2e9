"""What `--json` prints: one document on standard output, while all messages go to standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Self

import pandas as pd
import typer
from pydantic import BaseModel, ConfigDict, JsonValue

from discern.auditing.record import AuditRecord
from discern.errors import ImageProblem
from discern.evaluation.comparison import Comparison
from discern.evaluation.metrics import Metrics


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class EvaluationDocument(_Document):
    """The folder that was written, and the metrics of each split, as in its metrics.json."""

    folder: str
    metrics: dict[str, Metrics]


class PredictionDocument(_Document):
    """The file that was written, or null; a row for each picture, with the columns of that file; and bad pictures."""

    file: str | None
    answers: list[dict[str, JsonValue]]
    problems: list[dict[str, str]]

    @classmethod
    def build(cls, file: Path | None, answers: pd.DataFrame, problems: tuple[ImageProblem, ...]) -> Self:
        """Build the document of answers; an empty cell is null."""
        rows = answers.astype(object).where(answers.notna(), None).to_dict(orient="records")
        return cls.model_validate(
            {
                "file": None if file is None else str(file),
                "answers": rows,
                "problems": [problem._asdict() for problem in problems],
            }
        )


class AuditDocument(_Document):
    """The folder that was written, and the findings, as in its audit.json."""

    folder: str
    audit: AuditRecord


class DiffDocument(_Document):
    """The folder that was written, and the comparison, as in its comparison.json."""

    folder: str
    comparison: Comparison


@contextmanager
def keeping_output_free(asked: bool) -> Iterator[None]:
    """Send what commands print to standard error, if a document is asked for."""
    if not asked:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def print_document(document: BaseModel) -> None:
    """Print a document on standard output."""
    typer.echo(document.model_dump_json(indent=2))
