"""Pictures of the run: training pictures of the feature bank, and misclassified ones.

A client names them by their place in these lists alone; the paths come from the run itself.
"""

from pathlib import Path

import pandas as pd

from discern.data.reading.deep_pixels import DepthRange
from discern.errors import DataError
from discern.evaluation.predictions import load_predictions
from discern.run_folder import RunFolder
from discern.serving.refusals import NOT_FOUND, Refusal
from discern.serving.schema import Mistake, Mistakes
from discern.serving.served_model import ServedModel
from discern.serving.shrunk_picture import shrink_file

MAX_MISTAKES = 200


def load_mistakes(folder: Path) -> tuple[Mistakes, pd.DataFrame]:
    """Return the mistakes of the split that a run reports, and their rows of its predictions.csv.

    Raises:
        Refusal: It has none that can be read.
    """
    path = find_run(folder) / "evaluation" / "predictions.csv"
    if not path.is_file():
        raise Refusal(NOT_FOUND, "the run has no predictions: it was not evaluated, or the bundle stands alone")
    try:
        predictions = load_predictions(path, with_probabilities=False)
    except DataError:
        raise Refusal(NOT_FOUND, "the run's predictions.csv cannot be read") from None
    split = predictions.splits[-1]
    reported = predictions.select(split)
    wrong = reported.find_mistakes()
    shown = reported.take(wrong[:MAX_MISTAKES]).frame
    mistakes = [
        Mistake(index=place, id=row.id, true=row.true, predicted=row.predicted, confidence=row.confidence)
        for place, row in enumerate(shown.itertuples(index=False))
    ]
    return Mistakes(split=split, count=len(wrong), pictures=len(reported), mistakes=mistakes), shown


def show_training_picture(model: ServedModel, index: int) -> bytes:
    """Return a small copy of a training picture of the feature bank.

    Raises:
        Refusal: There is no such picture, or its file is gone.
    """
    if model.feature_bank is None or not 0 <= index < len(model.feature_bank.frame):
        raise Refusal(NOT_FOUND, f"the feature bank of {model.name} has no training picture {index}")
    return shrink_file(str(model.feature_bank.frame["path"].iloc[index]), model.predictor.bundle.preprocess.depth_range)


def show_mistake(folder: Path, index: int, depth_range: DepthRange | None) -> bytes:
    """Return a small copy of a misclassified picture: the one kept in the run folder, or one of its file.

    `depth_range` is that of the classifier's preprocessing.

    Raises:
        Refusal: There is no such picture, or its file is gone.
    """
    _, rows = load_mistakes(folder)
    if not 0 <= index < len(rows):
        raise Refusal(NOT_FOUND, f"there is no mistake {index}")
    kept = RunFolder(find_run(folder)).thumbnail(str(rows["id"].iloc[index]))
    return kept.read_bytes() if kept.is_file() else shrink_file(str(rows["path"].iloc[index]), depth_range)


def find_run(folder: Path) -> Path:
    """Return the run folder of a run or of its bundle."""
    return RunFolder(folder.parent if folder.name == "bundle" else folder).root
