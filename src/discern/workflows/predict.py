"""Pictures in, a CSV of answers out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discern.data.reading.preflight import save_bad_files
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import Input, load_inputs
from discern.data.table import ImageTable
from discern.errors import BadImagesError, ConfigError, ImageProblem
from discern.files import write_atomically
from discern.predictor.answers import (
    NOT_SURE,
    UNFAMILIAR,
    UNKNOWN,
    AnswerForm,
    AnswerPolicy,
    build_answers,
    build_policy,
)
from discern.predictor.bundle import load_bundle
from discern.predictor.load import build_predictor
from discern.predictor.submission import fill_submission
from discern.processes import join_processes

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Answers:
    """The answers, and the pictures that could not be read and have none."""

    frame: pd.DataFrame
    problems: tuple[ImageProblem, ...]


def predict(
    run: str | Path,
    inputs: Sequence[Input] | Input,
    *,
    out: Path | None = None,
    probabilities: bool = False,
    top_k: int = 1,
    max_error: float | None = None,
    set_coverage: float | None = None,
    like: Path | None = None,
    columns: ColumnSettings | None = None,
    device: str = "auto",
) -> Answers:
    """Classify pictures and write the answers to `out`.

    Args:
        run: A run folder or a bundle.
        inputs: Files, folders, glob patterns, CSV or .npz files, PIL images or arrays.
        out: CSV to write: id, path, label, confidence; or the form of `like`.
        probabilities: Add one column a class.
        top_k: Add the labels and confidences of the next places.
        max_error: Answer "unknown" where else more than this share would be wrong; see `Predictor.predict`.
        set_coverage: Add sets of classes that hold the true one in this share of all cases.
        like: A sample submission whose columns, ids and order are kept exactly.
        columns: How an input CSV is read.
        device: Where to compute; see `resolve_runtime`.

    Raises:
        DiscernError: The run, an input or the sample submission is not as it must be.
        BadImagesError: No picture at all can be read, or `like` is given and some cannot.
    """
    processes = join_processes()
    bundle = load_bundle(Path(run))
    form = AnswerForm(probabilities, top_k, max_error, set_coverage)
    policy = build_policy(form, bundle)
    predictor = build_predictor(bundle, device=device, processes=processes)
    table = load_inputs(inputs, columns)
    for note in table.ignored:
        logger.info("passed over: %s", note)
    if out is not None:
        _check_writable(out, table, inputs, like)
    found = predictor.predict_readable(table, similarity=policy.needs_similarity)
    if found.problems and (like is not None or not len(found.table)):
        raise BadImagesError(found.problems, next_step="Mend or remove them; no answers were written.")
    if like is None:
        names = predictor.class_names
        frame = build_answers(found.table, found.probabilities, found.similarities, names, form, policy)
    else:
        frame = fill_submission(like, found.table, found.probabilities, predictor.class_names)
    if out is not None and processes.is_main:
        _write(frame, found.problems, out)
        _tell_unknown(frame, policy)
    # A process that ends before the answers are written could end the others.
    processes.gather(None)
    return Answers(frame, found.problems)


def _check_writable(out: Path, table: ImageTable, inputs: Sequence[Input] | Input, like: Path | None) -> None:
    """Raise before any work when the answers would replace what they are made from, or cannot be written."""
    given = inputs if isinstance(inputs, list | tuple) else [inputs]
    sources = {str(item) for item in given if isinstance(item, str | Path)} | set(table.frame["path"])
    if like is not None:
        sources.add(str(like))
    if out.is_dir():
        raise ConfigError(f"{out} is a folder; --out needs the name of a CSV file")
    if out.exists() and out.resolve() in {Path(source).resolve() for source in sources if source}:
        raise ConfigError(f"{out} is one of the inputs and would be replaced by the answers; give another --out")
    out.parent.mkdir(parents=True, exist_ok=True)


def _write(frame: pd.DataFrame, problems: tuple[ImageProblem, ...], out: Path) -> None:
    write_atomically(out, frame.to_csv(index=False, float_format="%.6g"))
    logger.info("%d answers in %s", len(frame), out)
    listed_in = out.with_name(f"{out.stem}.bad_files.csv")
    if problems:
        save_bad_files(problems, listed_in)
        logger.warning("%d pictures could not be read; see %s", len(problems), listed_in)
    else:
        listed_in.unlink(missing_ok=True)


def _tell_unknown(frame: pd.DataFrame, policy: AnswerPolicy) -> None:
    """Say how many pictures were left unanswered, why, and what the line rests on."""
    if policy.point is None:
        return
    counts = frame["reason"].value_counts()
    reasons = ", ".join(f"{counts[reason]} {reason}" for reason in (NOT_SURE, UNFAMILIAR) if reason in counts)
    unknown = int((frame["label"] == UNKNOWN).sum())
    logger.info("%d of %d pictures are unknown%s", unknown, len(frame), f": {reasons}" if reasons else "")
    logger.info("%s", policy.point.describe())
    if not policy.needs_similarity:
        logger.warning("the bundle remembers no training pictures: pictures unlike them are not told from others")
