"""Classifies pictures and writes the answers to a CSV."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from discern.console import reporting
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import Input, load_inputs, log_ignored
from discern.data.table import ImageTable
from discern.errors import Advice, BadImagesError, ConfigError, ImageProblem, name_some, option
from discern.models.custom import Network
from discern.predictor.answers import AnswerForm, build_answers, build_policy
from discern.predictor.answers_file import (
    check_answers_file,
    check_answers_form,
    holds_answers,
    log_familiarity,
    log_unknown,
    write_answers,
)
from discern.predictor.bundle import load_bundle
from discern.predictor.load import build_predictor
from discern.predictor.predictor import Readable
from discern.predictor.progress import showing_progress
from discern.predictor.submission import Submission, read_submission
from discern.predictor.tta import use_tta
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
    on_bad: str | None = None,
    overwrite: bool = False,
    csv_safe: bool = False,
    tta: str | None = None,
    device: str = "auto",
    network: Network | None = None,
    verbose: bool = True,
) -> Answers:
    """Classify pictures and write the answers to `out`.

    Args:
        run: A run folder or a bundle.
        inputs: Files, folders, archives, glob patterns, tables or .npz files, PIL images, arrays, or a torch
            `Dataset`.
        out: .csv or .tsv file to write with id, path, label, confidence and familiarity (see `Predictor.predict`), or
            in the form of `like`. Nothing is written by default.
        probabilities: Add the probability of each class, one column per class.
        top_k: Number of labels per picture, with their confidences, the most probable first.
        max_error: Largest share of wrong answers; less certain pictures are "unknown", see `Predictor.predict`.
        set_coverage: Add sets of classes that contain the true class for this share of all pictures.
        like: A sample submission whose columns, ids and order are kept exactly.
        image_column: CSV column with file names or ids; guessed by default.
        image_root: Folder that file names in a CSV are relative to; the folder of the CSV by default.
        image_suffix: Extension to add to ids in a CSV, such as `.jpg`.
        on_bad: What to do about pictures that cannot be read: "error" stops, "skip" leaves them out, "fallback" keeps
            the sample's own answer, or else gives the most frequent class. By default "error" with `like`, else "skip".
        overwrite: Replace `out` also where it is no earlier table of answers.
        csv_safe: Write an apostrophe before texts that a spreadsheet would take for a formula.
        tta: Test-time augmentation: "none", or the mean over the views of "flip" or "five"; by default as trained.
        device: Where to compute; see `discern.load`.
        network: Your own, if the run was trained with one.
        verbose: Show progress on standard output.

    Raises:
        DiscernError: The run, an input or the sample submission cannot be used.
        BadImagesError: None of the pictures can be read, or some cannot and `on_bad` is "error".
    """
    out, like = (None if path is None else Path(path) for path in (out, like))
    form = AnswerForm(probabilities, top_k, max_error, set_coverage)
    on_bad = _choose_on_bad(on_bad, like)
    if out is not None:
        check_answers_form(out)
    with reporting(verbose=verbose) as messages:
        processes = join_processes()
        bundle = use_tta(load_bundle(Path(run), network), tta)
        policy = build_policy(form, bundle)
        submission = None if like is None else read_submission(like, bundle.class_names)
        predictor = build_predictor(bundle, device=device, processes=processes)
        columns = ColumnSettings(image_column, None, image_root, image_suffix)
        table = load_inputs(inputs, columns, depth_range=bundle.preprocess.depth_range)
        log_ignored(table)
        if out is not None:
            _check_out(out, [*_list_paths(inputs), *table.frame["path"], str(like or "")], submission, overwrite)
        if submission is not None:
            table = submission.choose_pictures(table)
        own_share = -(-len(table) // processes.count)
        with predictor.runtime.applied(), showing_progress(messages, own_share) as advance:
            found = predictor.predict_readable(table, similarity=policy.knows_familiarity, advance=advance)
        if found.problems and (on_bad == "error" or not len(found.table)):
            raise BadImagesError(found.problems, next_step=_describe_way_on(on_bad, submission))
        log_familiarity(found.table.frame["id"].tolist(), policy.measure_familiarity(found.similarities))
        if submission is None:
            names = predictor.class_names
            frame = build_answers(found.table, found.probabilities, found.similarities, names, form, policy)
        else:
            frame = _fill_submission(submission, table, found, on_bad)
        if out is not None and processes.is_main:
            write_answers(frame, found.problems, out, csv_safe=csv_safe)
            log_unknown(frame, policy)
        # A process that ends before the answers are written could end the others.
        processes.gather(None)
        return Answers(frame, found.problems)


def _check_out(out: Path, sources: Sequence[str], submission: Submission | None, overwrite: bool) -> None:
    is_earlier = holds_answers if submission is None else submission.is_filled_in
    check_answers_file(out, sources, is_earlier, overwrite=overwrite)


def _list_paths(inputs: Sequence[Input] | Input) -> list[str]:
    given = inputs if isinstance(inputs, list | tuple) else [inputs]
    return [str(item) for item in given if isinstance(item, str | Path)]


def _choose_on_bad(on_bad: str | None, like: Path | None) -> str:
    if on_bad not in (None, "error", "skip", "fallback"):
        raise ConfigError(f"on_bad is {on_bad!r}; expected error, skip or fallback")
    if on_bad == "fallback" and like is None:
        raise ConfigError("on_bad=fallback fills rows of a sample submission; without one, use skip or error")
    return on_bad or ("skip" if like is None else "error")


def _describe_way_on(on_bad: str, submission: Submission | None) -> Advice:
    if on_bad != "error":
        return ("Repair or remove them; no answers were written.",)
    ways: Advice = (option("on_bad", "skip"),)
    if submission is not None:
        ways = (option("on_bad", "fallback"), " or ", *ways)
    return ("Repair or remove them, or go on without them by ", *ways, "; no answers were written.")


def _fill_submission(submission: Submission, table: ImageTable, found: Readable, on_bad: str) -> pd.DataFrame:
    readable = table.frame["id"].isin(found.table.frame["id"]).to_numpy()
    frame = submission.fill(found.probabilities, readable)
    if not found.problems:
        return frame
    rows = name_some(frame.iloc[~readable, 0].tolist())
    if on_bad == "skip":
        logger.warning("left out of the submission, since their pictures cannot be read: %s", rows)
        return frame[readable]
    logger.warning(
        "not answered from their pictures, which cannot be read, but by the sample's own value or the most frequent "
        "class: %s", rows,
    )  # fmt: skip
    return frame
