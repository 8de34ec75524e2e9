"""Draws a random sample of new pictures, asks for their labels, and says what holds there."""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path

from discern.console import reporting
from discern.counts import count_of
from discern.data.sources.inputs import Input, load_inputs, log_ignored
from discern.data.splitting.sample import draw_sample
from discern.data.table import ImageTable
from discern.errors import ConfigError, DataError
from discern.evaluation.coverage import REPORTED_ERRORS
from discern.evaluation.field_check import FieldCheck, FieldSource
from discern.evaluation.given_labels import GivenLabel, read_given_labels
from discern.files import write_json, write_table
from discern.models.custom import Network
from discern.ownership import owning
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.bundle import load_bundle
from discern.predictor.field import check_field
from discern.predictor.load import build_predictor
from discern.reports.field_page import write_field_page
from discern.serving.decisions import Decisions
from discern.serving.field_check import FieldSample
from discern.serving.running import check_packages, open_listener, run_until_finished
from discern.tuning.shared_folder import going_on_in, open_shared_folder

logger = logging.getLogger("discern")

_HOST = "127.0.0.1"


def fieldcheck(
    run: str | Path,
    new: Sequence[Input] | Input,
    *,
    out: str | Path,
    label: int = 100,
    labels: str | Path | None = None,
    max_errors: Sequence[float] = REPORTED_ERRORS,
    seed: int = 0,
    device: str = "auto",
    network: Network | None = None,
    port: int = 8002,
    verbose: bool = True,
) -> FieldCheck:
    """Draw a random sample of new pictures, get their labels, and write fieldcheck.html, fieldcheck.json, answers.csv.

    Labels are asked for on a page, on this machine only, until all are given or the page is finished; what the
    classifier answers is not shown there. Each is appended to labels.csv. A second call with the same `out` goes on
    with the same sample, which a larger `label` extends.

    Args:
        run: A run folder or a bundle.
        new: New pictures: files, folders, glob patterns or a CSV; labels that they have are not used.
        out: The folder to write.
        label: How many pictures to label.
        labels: A CSV file with the labels of the sample, instead of the page: a copy of sample.csv that is filled in.
        max_errors: Shares of wrong answers (0..1) whose promise is checked.
        seed: Of the sample.
        device: Where to compute; see `discern.load`.
        network: Your own, if the run was trained with one.
        port: The port of the page; 0 for any free one.
        verbose: Show the address and the result on standard output.

    Raises:
        DataError: There are no pictures that can be labelled, or the labels do not fit them.
        ConfigError: A number makes no sense, or packages for the page are missing.
        BundleError: The classifier cannot be loaded.
        RunFolderError: `out` has something else, or another process writes to it.
    """
    if label < 1 or not all(0 < share < 1 for share in max_errors):
        raise ConfigError(f"label is {label}, and max_errors are {list(max_errors)}; expected 1 or more, and 0 to 1")
    folder = Path(out)
    if labels is None:
        check_packages()
    with reporting(verbose=verbose), going_on_in(folder), owning(folder, "discern fieldcheck"):
        bundle = load_bundle(Path(run), network)
        table = load_inputs(new, depth_range=bundle.preprocess.depth_range, each_once=True)
        log_ignored(table)
        _check_files(table)
        open_shared_folder(
            folder,
            {"format": "discern-fieldcheck", "run": str(Path(run).resolve()), "seed": seed, **_identify(table)},
            kind="field check",
            other="a field check of another run, other pictures or another seed",
        )
        sample = draw_sample(table, label, seed=seed)
        predictor = build_predictor(bundle, device=device)
        with predictor.runtime.applied():
            knows_familiarity = build_policy(AnswerForm(), bundle).knows_familiarity
            found = predictor.predict_readable(sample, similarity=knows_familiarity)
        if not len(found.table):
            raise DataError(f"{table.source}: none of the {len(sample)} sampled pictures can be read")
        write_table(sample.frame[["id", "path"]].assign(label=""), folder / "sample.csv")
        ids = found.table.frame["id"].tolist()
        ids = sample.frame["id"].tolist()
        if labels is not None:
            given = read_given_labels(Path(labels), ids, bundle.class_names)
        else:
            answers = Decisions(folder / "labels.csv")
            _ask(_build_sample(found.table, bundle.class_names, answers, table.source), port)
            given = {one.path: GivenLabel(one.action, one.new) for one in answers.find().values()}
        check, rows = check_field(
            bundle, found, given, FieldSource(str(run), table.source, seed, len(table)), max_errors=max_errors
        )
        write_table(rows, folder / "answers.csv")
        write_json(folder / "fieldcheck.json", check.model_dump(mode="json"))
        write_field_page(check, rows, folder / "fieldcheck.html")
        for line in check.describe():
            logger.info("%s", line)
        if check.open:
            logger.info("%s without a label; the same call goes on with them", count_of(check.open, "picture"))
        logger.info("written: %s", folder)
        return check


def _check_files(table: ImageTable) -> None:
    if (table.frame["path"] == "").any():
        raise DataError(f"{table.source}: pictures in memory cannot be labelled on a page; give files")


def _identify(table: ImageTable) -> dict[str, object]:
    """Return what tells these pictures from others, so that a sample is not continued on other ones."""
    ids = "\n".join(sorted(table.frame["id"]))
    return {"pictures": len(table), "ids_sha256": hashlib.sha256(ids.encode()).hexdigest()}


def _build_sample(table: ImageTable, class_names: Sequence[str], answers: Decisions, name: str) -> FieldSample:
    ids, paths = (table.frame[column].tolist() for column in ("id", "path"))
    return FieldSample(name, ids, paths, class_names, answers, table.depth_range)


def _ask(sample: FieldSample, port: int) -> None:
    """Serve the page until it is finished, unless all pictures have a label."""
    from discern.serving.field_check_app import create_field_check_app
    from discern.serving.guard import build_access

    pictures = count_of(len(sample.ids), "picture")
    logger.info("%s in the sample, %d without a label yet", pictures, sample.num_open)
    if not sample.num_open:
        return
    # Other people may have an account on this machine; browsers do not send the part after #.
    token = secrets.token_urlsafe(16)
    access = build_access(_HOST, (), token)
    with open_listener(_HOST, port) as listener:
        logger.info("open http://%s:%d/#token=%s", _HOST, listener.getsockname()[1], token)
        logger.info("labels go to %s; the page ends this by its button Finish", sample.answers.path)
        run_until_finished(lambda finish: create_field_check_app(sample, access, finish), listener)
