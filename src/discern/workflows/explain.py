"""Which pixels decided: a figure a picture, and a table of all."""

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
from discern.explanation.explained_picture import ExplainedPicture, choose_classes, find_class
from discern.explanation.figure import draw_explanation
from discern.explanation.files import (
    BAD_FILES_NAME,
    TABLE_NAME,
    build_explanations,
    claim_folder,
    name_figures,
)
from discern.explanation.maps import find_method
from discern.explanation.neighbours import NearPicture, find_neighbours, name_neighbours, show_neighbour
from discern.explanation.pictures import drop_labels, find_true_names, load_mistakes
from discern.files import write_table
from discern.plots.saving import save_figure
from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.run_folder import RunFolder

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Explanations:
    """One row a picture that was explained, the pictures that could not be read, and the folder of the figures."""

    frame: pd.DataFrame
    problems: tuple[ImageProblem, ...]
    folder: Path


def explain(
    run: str | Path,
    inputs: Sequence[Input] | Input | None = None,
    *,
    mistakes: bool = False,
    out: Path | None = None,
    method: str = "grad-cam",
    target: str | None = None,
    top_k: int = 1,
    neighbours: int = 5,
    columns: ColumnSettings | None = None,
    device: str = "auto",
) -> Explanations:
    """Write a figure for each picture, and explanations.csv, to the folder `out`.

    Beside the picture stands where the evidence for the predicted class lies and, where the true class is known and is
    another, for that one. It is known from the column of labels of a CSV, from the run's split.csv, or from the name of
    the picture's folder.

    Args:
        run: A run folder or a bundle.
        inputs: Files, folders, glob patterns, CSV or .npz files, PIL images or arrays.
        mistakes: Instead of inputs: what the run's evaluation got wrong of the split that it reports, the most
            confident first, 25 pictures at most.
        out: The folder to write; `explanations` in the run folder by default. Figures of an earlier call are replaced.
        method: One of `discern.explanation.maps.METHODS`.
        target: The class to explain instead of the predicted and the true one.
        top_k: Explain so many of the most probable classes.
        neighbours: Show so many of the training pictures that the classifier finds most like it.
        columns: How an input CSV is read.
        device: Where to compute; see `resolve_runtime`.

    Raises:
        DiscernError: The run, an input or a setting is not as it must be.
        BadImagesError: No picture at all can be read.
    """
    if mistakes == (inputs is not None):
        raise ConfigError("give pictures to explain, or --mistakes for those that the run got wrong: one of the two")
    find_method(method)
    predictor = load(run, device=device)
    asked_for = None if target is None else find_class(target, predictor.class_names)
    # What belongs to a bundle stands beside it, not in it.
    folder = RunFolder(Path(run).parent if Path(run).name == "bundle" else Path(run))
    table = load_mistakes(folder) if inputs is None else load_inputs(inputs, columns)
    for note in table.ignored:
        logger.info("passed over: %s", note)
    true_names = dict(zip(table.frame["id"], find_true_names(table, predictor.class_names, folder), strict=True))
    readable, probabilities, problems, _ = predictor.predict_readable(drop_labels(table))
    if problems and not len(readable):
        raise BadImagesError(problems, next_step="Mend or remove them; nothing was explained.")
    pictures = []
    for row, (name, path) in enumerate(zip(readable.frame["id"], readable.frame["path"], strict=True)):
        chances, true_name = probabilities[row], true_names[name]
        best = int(chances.argmax())
        classes = choose_classes(chances, predictor.class_names, true_name=true_name, asked_for=asked_for, top_k=top_k)
        predicted, confidence = predictor.class_names[best], float(chances[best])
        pictures.append(ExplainedPicture(row, name, path, true_name, predicted, confidence, classes))
    place = out or folder.explanations
    near = find_neighbours(predictor, readable, neighbours)
    frame = _write(predictor, readable, pictures, near, place, method)
    _list_problems(problems, place / BAD_FILES_NAME)
    logger.info("%d pictures explained in %s", len(frame), place)
    return Explanations(frame, problems, place)


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
    for picture, near, name in zip(pictures, neighbours, figures, strict=True):
        shown = [show_neighbour(found, predictor.bundle.max_pixels) for found in near]
        save_figure(draw_explanation(predictor, table, picture, shown, method), folder / name)
        logger.info("%s: %s", name, picture.describe())
    frame = pd.concat([build_explanations(pictures, figures, method), name_neighbours(neighbours)], axis=1)
    write_table(frame, folder / TABLE_NAME)
    return frame


def _list_problems(problems: Sequence[ImageProblem], listed_in: Path) -> None:
    if problems:
        save_bad_files(problems, listed_in)
        logger.warning("%d pictures could not be read; see %s", len(problems), listed_in)
    else:
        listed_in.unlink(missing_ok=True)
