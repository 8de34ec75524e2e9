"""Explains predictions: a figure for each picture, and a table of all."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from discern.console import reporting
from discern.counts import count_of, is_are
from discern.data.moved import GIVE_DATA, WHERE_MOVED
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import Input, load_inputs, log_ignored
from discern.data.table import ImageTable
from discern.errors import DATA, BadImagesError, ConfigError, ImageProblem, option
from discern.explanation.explained_picture import ExplainedPicture, describe_pictures, find_class
from discern.explanation.figure import draw_explanation
from discern.explanation.folder import (
    BAD_FILES_NAME,
    TABLE_NAME,
    build_explanations,
    check_folder,
    claim_folder,
    name_figures,
)
from discern.explanation.inputs import drop_labels, find_true_names, load_mistakes
from discern.explanation.methods import AUTO, check_method, choose_method
from discern.explanation.neighbours import NearPicture, find_neighbours, name_neighbours, show_neighbour
from discern.explanation.result import Explanations
from discern.files import write_table
from discern.models.custom import Network
from discern.ownership import owning
from discern.plots.saving import save_figure
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.answers_file import write_problems
from discern.predictor.answers_summary import log_familiarity
from discern.predictor.hub_bundle import check_place, find_run
from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.run_folder import RunFolder

logger = logging.getLogger("discern")


def explain(
    run: str | Path,
    inputs: Sequence[Input] | Input | None = None,
    *,
    mistakes: bool = False,
    out: str | Path | None = None,
    method: str = AUTO,
    target: str | None = None,
    top_k: int = 1,
    neighbours: int = 5,
    image_column: str | None = None,
    label_column: str | None = None,
    image_root: str | Path | None = None,
    image_suffix: str | None = None,
    data: str | Path | None = None,
    device: str = "auto",
    network: Network | None = None,
    verbose: bool = True,
) -> Explanations:
    """Write a figure for each picture, and explanations.csv, to the folder `out`.

    A figure shows the evidence for the predicted class and, if that is wrong, for the true class. The true class comes
    from the label column of a CSV, from the run's split.csv, or from the name of the picture's
    folder.

    Args:
        run: A run folder or a bundle; see `discern.load`.
        inputs: Files, folders, archives, glob patterns, tables or .npz files, PIL images, arrays, or a torch
            `Dataset`. A file that is given more than once is used once.
        mistakes: Explain the mistakes of the run's evaluation instead of `inputs`, at most 25, most confident first.
        out: The folder to write; `explanations` in the run folder by default. Figures of an earlier call are replaced.
        method: A name of `discern.explanation.methods.EXPLANATIONS`; "auto" is attention for vision transformers, and
            else Grad-CAM.
        target: The class to explain instead of the predicted and the true one.
        top_k: Number of classes to explain, the most probable ones.
        neighbours: Number of training pictures to show, the most similar ones.
        image_column: CSV column with file names or ids; guessed by default, like the next.
        label_column: CSV column with the true classes.
        image_root: Folder that file names in a CSV are relative to; the folder of the CSV by default.
        image_suffix: Extension to add to ids in a CSV, such as `.jpg`.
        data: The folder that the pictures of the run were moved to, to find its mistakes and the similar pictures.
        device: Where to compute; see `discern.load`.
        network: Your own, if the run was trained with one.
        verbose: Show progress on standard output.

    Raises:
        DiscernError: The run, an input or a setting cannot be used.
        BadImagesError: None of the pictures can be read.
    """
    if mistakes == (inputs is not None):
        raise ConfigError(
            "give either pictures to explain, or ", option("mistakes", True), " for the mistakes of the run"
        )
    check_method(method)
    check_place(run, out)
    with reporting(verbose=verbose):
        run = find_run(run)
        predictor = load(run, device=device, network=network)
        method = choose_method(method, predictor.bundle.classifier.backbone)
        asked_for = None if target is None else find_class(target, predictor.class_names)
        # The explanations of a bundle are beside it, not in it.
        folder = RunFolder(run.parent if run.name == "bundle" else run)
        columns = ColumnSettings(image_column, label_column, image_root, image_suffix)
        table = _load_table(predictor, inputs, columns, folder, data)
        place = folder.explanations if out is None else Path(out)
        check_folder(place)
        with predictor.runtime.applied(), owning(folder.root if out is None else place, "discern explain"):
            readable, pictures, problems = _answer(predictor, table, folder, data, asked_for, top_k)
            near = find_neighbours(predictor, readable, neighbours, folder.read_data_root(), data)
            frame = _write(predictor, readable, pictures, near, place, method)
        write_problems(problems, place / BAD_FILES_NAME)
        logger.info("%s explained in %s", count_of(len(frame), "picture"), place)
        return Explanations(frame, problems, place)


def _load_table(
    predictor: Predictor,
    inputs: Sequence[Input] | Input | None,
    columns: ColumnSettings,
    folder: RunFolder,
    data: str | Path | None,
) -> ImageTable:
    """Return the pictures to explain: the inputs, or else the mistakes of the run."""
    depth_range = predictor.bundle.preprocess.depth_range
    if inputs is None:
        table = replace(load_mistakes(folder, data), depth_range=depth_range)
    else:
        table = load_inputs(inputs, columns, depth_range=depth_range, each_once=True)
    log_ignored(table)
    return table


def _answer(
    predictor: Predictor,
    table: ImageTable,
    folder: RunFolder,
    data: str | Path | None,
    asked_for: int | None,
    top_k: int,
) -> tuple[ImageTable, list[ExplainedPicture], tuple[ImageProblem, ...]]:
    """Return the pictures that can be read, with the classes to explain for each, and the problems of the others."""
    policy = build_policy(AnswerForm(), predictor.bundle)
    found = predictor.predict_readable(drop_labels(table), similarity=policy.knows_familiarity)
    if found.problems and not len(found.table):
        step = ("Repair or remove them, or ", WHERE_MOVED, DATA, "; nothing was explained.")
        raise BadImagesError(found.problems, next_step=step)
    true_names = find_true_names(table, predictor.class_names, folder, data)
    familiarity = policy.measure_familiarity(found.similarities)
    log_familiarity(found.table.frame["id"].tolist(), familiarity)
    pictures = describe_pictures(
        found.table,
        found.probabilities,
        predictor.class_names,
        true_names,
        familiarity,
        asked_for=asked_for,
        top_k=top_k,
    )
    return found.table, pictures, found.problems


def _write(
    predictor: Predictor,
    table: ImageTable,
    pictures: Sequence[ExplainedPicture],
    neighbours: list[list[NearPicture]],
    folder: Path,
    method: str,
) -> pd.DataFrame:
    """Write the figures one by one, and then the table that names them, which is returned."""
    figures = name_figures([picture.id for picture in pictures])
    claim_folder(folder, figures, table.frame["path"])
    num_gone = 0
    for picture, near, name in zip(pictures, neighbours, figures, strict=True):
        shown = [show_neighbour(found, predictor.bundle.max_pixels, table.depth_range) for found in near]
        num_gone += sum(one.image is None and bool(found.path) for one, found in zip(shown, near, strict=True))
        save_figure(draw_explanation(predictor, table, picture, shown, method), folder / name)
        logger.info("%s: %s", name, picture.describe())
    if num_gone:
        gone = count_of(num_gone, "similar training picture")
        logger.warning("%s %s not shown, as the files are gone; %s", gone, is_are(num_gone), GIVE_DATA)
    frame = pd.concat([build_explanations(pictures, figures, method), name_neighbours(neighbours)], axis=1)
    write_table(frame, folder / TABLE_NAME)
    return frame
