"""Pictures in, a CSV of answers out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discern.bundle import load_bundle
from discern.data.columns import ColumnSettings
from discern.data.inputs import Input, load_inputs
from discern.data.preflight import check_images, drop_images, save_bad_files
from discern.data.table import ImageTable
from discern.errors import BadImagesError, ImageProblem
from discern.files import write_atomically
from discern.inference import Predictor, build_answers
from discern.runtime import resolve_runtime
from discern.workflows.submission import fill_submission

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Answers:
    """The answers, and the pictures that could not be read and have none."""

    frame: pd.DataFrame
    problems: tuple[ImageProblem, ...]


def load(run: str | Path, *, device: str = "auto") -> Predictor:
    """Return the classifier of a run folder or bundle, ready for use.

    Raises:
        BundleError: There is none, or it cannot be understood.
    """
    return Predictor(load_bundle(Path(run)), resolve_runtime(device=device))


def predict(
    run: str | Path,
    inputs: Sequence[Input] | Input,
    *,
    out: Path | None = None,
    probabilities: bool = False,
    top_k: int = 1,
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
        like: A sample submission whose columns, ids and order are kept exactly.
        columns: How an input CSV is read.
        device: Where to compute; see `resolve_runtime`.

    Raises:
        DiscernError: The run, an input or the sample submission is not as it must be.
        BadImagesError: No picture at all can be read, or `like` is given and some cannot.
    """
    predictor = load(run, device=device)
    table, problems = _find_readable(
        load_inputs(inputs, columns or ColumnSettings()), predictor.bundle.max_pixels, all_needed=like is not None
    )
    chances = predictor.predict_probabilities(table)
    if like is None:
        frame = build_answers(table, chances, predictor.class_names, probabilities, top_k)
    else:
        frame = fill_submission(like, table, chances, predictor.class_names)
    if out is not None:
        write_atomically(out, frame.to_csv(index=False, float_format="%.6g"))
        logger.info("%d answers in %s", len(frame), out)
        if problems:
            listed_in = out.with_name(f"{out.stem}.bad_files.csv")
            save_bad_files(problems, listed_in)
            logger.warning("%d pictures could not be read; see %s", len(problems), listed_in)
    return Answers(frame, tuple(problems))


def _find_readable(table: ImageTable, max_pixels: int, *, all_needed: bool) -> tuple[ImageTable, list[ImageProblem]]:
    """Leave out what cannot be decoded; every file is decoded whole, since one bad file must not end a long run."""
    problems = check_images(table, verify="full", max_pixels=max_pixels)
    if problems and (all_needed or len(problems) == len(table)):
        raise BadImagesError(problems, next_step="Mend or remove them; no answers were written.")
    return drop_images(table, problems), problems
