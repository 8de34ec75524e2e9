"""Classifies pictures and writes the answers to a table."""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from discern.console import MessageLog, reporting
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import Input, load_inputs, log_ignored
from discern.data.table import ImageTable
from discern.errors import Advice, BadImagesError, ConfigError, ImageProblem, name_some, option
from discern.models.custom import Network
from discern.predictor.answer_parts import AnswerParts, answer_in_parts, describe_question, keeping_parts
from discern.predictor.answers import AnswerForm, AnswerPolicy, build_answers, build_policy, knows_own_ids, list_classes
from discern.predictor.answers_file import check_answers_file, report_file
from discern.predictor.answers_summary import log_familiarity, summarize_answers
from discern.predictor.answers_table import check_form, holds_answers, read_rows, write_rows
from discern.predictor.bundle import fingerprint_bundle, load_bundle
from discern.predictor.hub_bundle import find_run
from discern.predictor.load import build_predictor
from discern.predictor.predictor import Predictor, Readable
from discern.predictor.progress import showing_progress
from discern.predictor.sorted_folder import SortedFolder, check_link, check_sorted_folder
from discern.predictor.submission import Submission, read_submission
from discern.predictor.tta import use_tta
from discern.processes import join_processes

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Answers:
    """The answers, of which there are `count`, and the pictures that could not be read."""

    count: int
    problems: tuple[ImageProblem, ...]
    read: Callable[[], pd.DataFrame] = field(repr=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The answers, one row per picture; of many, what the file says, which is read when it is asked for."""
        return self.read()


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
    sort_into: str | Path | None = None,
    link: str | None = None,
    overwrite: bool = False,
    csv_safe: bool = False,
    tta: str | None = None,
    device: str = "auto",
    network: Network | None = None,
    verbose: bool = True,
) -> Answers:
    """Classify pictures and write the answers to `out`.

    Args:
        run: A run folder or a bundle; see `discern.load`.
        inputs: Files, folders, archives, glob patterns, tables or .npz files, PIL images, arrays, or a torch
            `Dataset`. A file that is given more than once is used once.
        out: .csv, .tsv or .parquet file to write with id, path, label, confidence and familiarity (see
            `Predictor.predict`), or, if it is no Parquet, in the form of `like`. Nothing is written by default. Answers
            are kept beside it part by part, so that the same call goes on where one was interrupted, and memory holds
            one part; with `like`, all are in memory.
        probabilities: Add the probability of each class, one column per class.
        top_k: Number of labels per picture, with their confidences, the most probable first.
        max_error: Largest share of wrong answers; less certain pictures are "unknown", see `Predictor.predict`.
        set_coverage: Add sets of classes that contain the true class for this share of all pictures.
        like: A sample submission whose columns, ids, order and separator are kept exactly.
        image_column: CSV column with file names or ids; guessed by default.
        image_root: Folder that file names in a CSV are relative to; the folder of the CSV by default.
        image_suffix: Extension to add to ids in a CSV, such as `.jpg`.
        on_bad: What to do about pictures that cannot be read: "error" stops, "skip" leaves them out, "fallback" keeps
            the sample's own answer, or else gives the most frequent class. By default "error" with `like`, else "skip".
        sort_into: Folder to copy the pictures into, each into a folder of its class, or `unknown` (see `max_error`).
            Nothing in it is replaced; what is there already is not copied again.
        link: Make links instead of copies: "symbolic", or "hard".
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
    out, like, sort_into = (None if path is None else Path(path) for path in (out, like, sort_into))
    link = check_link(link, sorts=sort_into is not None)
    if like is not None and sort_into is not None:
        raise ConfigError("pictures are not sorted by a sample submission; call twice, or leave out ", option("like"))
    form = AnswerForm(probabilities, top_k, max_error, set_coverage)
    on_bad = _choose_on_bad(on_bad, like)
    if out is not None:
        check_form(out, as_text=csv_safe or like is not None)
    with reporting(verbose=verbose) as messages:
        processes = join_processes()
        place = find_run(run)
        bundle = use_tta(load_bundle(place, network), tta)
        policy = build_policy(form, bundle)
        submission = None if like is None else read_submission(like, bundle.class_names)
        predictor = build_predictor(bundle, device=device, processes=processes)
        columns = ColumnSettings(image_column, None, image_root, image_suffix)
        table = load_inputs(inputs, columns, depth_range=bundle.preprocess.depth_range, each_once=True)
        log_ignored(table)
        if out is not None:
            _check_out(out, [*_list_paths(inputs), *table.frame["path"], str(like or "")], submission, overwrite)
        folder = None
        if sort_into is not None:
            check_sorted_folder(sort_into, _list_paths(inputs), table, link)
            folder = SortedFolder(sort_into, predictor.class_names, link, with_unknown=policy.point is not None)
        answering = _Answering(predictor, form, policy, on_bad, folder, messages)
        if submission is not None:
            answers = answering.fill_in(submission, submission.choose_pictures(table))
            if out is not None and processes.is_main:
                write_rows(answers.frame, out, csv_safe=csv_safe, separator=submission.separator)
                report_file(out, answers.count, answers.problems)
        elif out is None:
            answers = answering.answer_in_memory(table)
        else:
            question = describe_question(predictor, form, fingerprint_bundle(place), csv_safe=csv_safe)
            with keeping_parts(out, question, csv_safe=csv_safe) if processes.is_main else nullcontext() as parts:
                answers = answering.answer_to_file(table, out, parts)
        # A process that ends before the answers are written could end the others.
        processes.gather(None)
        return answers


@dataclass(frozen=True)
class _Answering:
    """Answers the pictures of a table, as they were asked for."""

    predictor: Predictor
    form: AnswerForm
    policy: AnswerPolicy
    on_bad: str
    sorted_folder: SortedFolder | None
    messages: MessageLog

    def answer_in_memory(self, table: ImageTable) -> Answers:
        found = self._predict(table)
        frame = build_answers(
            found.table,
            found.probabilities,
            found.similarities,
            self.predictor.class_names,
            self.form,
            self.policy,
            with_own_ids=knows_own_ids(table),
        )
        summarize_answers(frame, found.problems).log(self.policy)
        if self.sorted_folder is not None and self.predictor.runtime.processes.is_main:
            self.sorted_folder.add_all(list_classes(frame))
        return Answers(len(frame), found.problems, lambda: frame)

    def answer_to_file(self, table: ImageTable, out: Path, parts: AnswerParts | None) -> Answers:
        """Answer part by part; `parts` are None in a process that does not write."""
        summary = answer_in_parts(self.predictor, table, parts, self.form, self.policy, self.messages)
        self._check_problems(summary.problems, summary.answers)
        summary.log(self.policy)
        if parts is None:
            return Answers(summary.answers, summary.problems, lambda: read_rows(out))
        parts.join()
        report_file(out, summary.answers, summary.problems)
        if self.sorted_folder is not None:
            self.sorted_folder.add_all(parts.list_classes())
        return Answers(summary.answers, summary.problems, parts.read)

    def fill_in(self, submission: Submission, table: ImageTable) -> Answers:
        found = self._predict(table, submission)
        log_familiarity(found.table.frame["id"].tolist(), self.policy.measure_familiarity(found.similarities))
        frame = _fill_submission(submission, table, found, self.on_bad)
        return Answers(len(frame), found.problems, lambda: frame)

    def _predict(self, table: ImageTable, submission: Submission | None = None) -> Readable:
        predictor, own_share = self.predictor, -(-len(table) // self.predictor.runtime.processes.count)
        with predictor.runtime.applied(), showing_progress(self.messages, own_share) as advance:
            found = predictor.predict_readable(table, similarity=self.policy.knows_familiarity, advance=advance)
        self._check_problems(found.problems, len(found.table), submission)
        return found

    def _check_problems(
        self, problems: tuple[ImageProblem, ...], num_answers: int, submission: Submission | None = None
    ) -> None:
        if problems and (self.on_bad == "error" or not num_answers):
            raise BadImagesError(problems, next_step=_describe_way_on(self.on_bad, submission))


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
