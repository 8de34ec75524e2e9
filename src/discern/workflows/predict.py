"""Classifies pictures and writes the answers to a CSV."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discern.console import reporting
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import Input, load_inputs, log_ignored
from discern.errors import BadImagesError, ImageProblem
from discern.models.custom import Network
from discern.predictor.answers import AnswerForm, AnswerPolicy, build_answers, build_policy
from discern.predictor.answers_file import check_answers_file, log_unknown, write_answers
from discern.predictor.bundle import load_bundle
from discern.predictor.load import build_predictor
from discern.predictor.predictor import Predictor, Readable
from discern.predictor.submission import fill_submission
from discern.processes import join_processes

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Answers:
    """The answers, one row per picture, and the pictures that could not be read."""

    frame: pd.DataFrame
    problems: tuple[ImageProblem, ...]


def predict(
    run: str | Path,
    inputs: Sequence[Input] | Input,
    *,
    out: str | Path | None = None,
    probabilities: bool = False,
    top_k: int = 1,
    max_error: float | None = None,
    set_coverage: float | None = None,
    like: str | Path | None = None,
    image_column: str | None = None,
    image_root: str | Path | None = None,
    image_suffix: str | None = None,
    device: str = "auto",
    network: Network | None = None,
    verbose: bool = True,
) -> Answers:
    """Classify pictures and write the answers to `out`.

    Args:
        run: A run folder or a bundle.
        inputs: Files, folders, glob patterns, CSV or .npz files, PIL images, arrays, or a torch `Dataset`.
        out: CSV to write with id, path, label and confidence, or in the form of `like`. Nothing is written by default.
        probabilities: Add the probability of each class, one column per class.
        top_k: Number of labels per picture, with their confidences, the most probable first.
        max_error: Largest share of wrong answers; less certain pictures are "unknown", see `Predictor.predict`.
        set_coverage: Add sets of classes that contain the true class for this share of all pictures.
        like: A sample submission whose columns, ids and order are kept exactly.
        image_column: CSV column with file names or ids; guessed by default.
        image_root: Folder that file names in a CSV are relative to; the folder of the CSV by default.
        image_suffix: Extension to add to ids in a CSV, such as `.jpg`.
        device: Where to compute; see `discern.load`.
        network: Your own, if the run was trained with one.
        verbose: Show progress on standard output.

    Raises:
        DiscernError: The run, an input or the sample submission cannot be used.
        BadImagesError: None of the pictures can be read, or `like` is given and some cannot.
    """
    out, like = (None if path is None else Path(path) for path in (out, like))
    form = AnswerForm(probabilities, top_k, max_error, set_coverage)
    with reporting(verbose=verbose):
        processes = join_processes()
        bundle = load_bundle(Path(run), network)
        policy = build_policy(form, bundle)
        predictor = build_predictor(bundle, device=device, processes=processes)
        columns = ColumnSettings(image_column, None, image_root, image_suffix)
        table = load_inputs(inputs, columns, depth_range=bundle.preprocess.depth_range)
        log_ignored(table)
        if out is not None:
            check_answers_file(out, [*_list_paths(inputs), *table.frame["path"], str(like or "")])
        with predictor.runtime.applied():
            found = predictor.predict_readable(table, similarity=policy.needs_similarity)
        frame = _build_frame(found, predictor, like, form, policy)
        if out is not None and processes.is_main:
            write_answers(frame, found.problems, out)
            log_unknown(frame, policy)
        # A process that ends before the answers are written could end the others.
        processes.gather(None)
        return Answers(frame, found.problems)


def _list_paths(inputs: Sequence[Input] | Input) -> list[str]:
    given = inputs if isinstance(inputs, list | tuple) else [inputs]
    return [str(item) for item in given if isinstance(item, str | Path)]


def _build_frame(
    found: Readable, predictor: Predictor, like: Path | None, form: AnswerForm, policy: AnswerPolicy
) -> pd.DataFrame:
    """Return the answers in the requested form, or in that of the sample submission `like`."""
    if found.problems and (like is not None or not len(found.table)):
        raise BadImagesError(found.problems, next_step="Repair or remove them; no answers were written.")
    names = predictor.class_names
    if like is not None:
        return fill_submission(like, found.table, found.probabilities, names)
    return build_answers(found.table, found.probabilities, found.similarities, names, form, policy)
