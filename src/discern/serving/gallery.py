"""Pictures that are there already: those that a bundle remembers, and those that a run got wrong.

A client names them by their place in these lists alone; the paths come from the run itself.
"""

from functools import lru_cache
from pathlib import Path

import pandas as pd

from discern.data.reading.decode import decode_image
from discern.errors import BadImageError, DataError
from discern.evaluation.predictions_file import load_answers
from discern.run_folder import RunFolder
from discern.serving.heat_maps import encode_jpeg
from discern.serving.refusals import NOT_FOUND, Refusal
from discern.serving.schema import Mistake, Mistakes
from discern.serving.served_model import ServedModel

MOST_MISTAKES = 200
_SIDE_PIXELS = 256


def load_mistakes(folder: Path) -> tuple[Mistakes, pd.DataFrame]:
    """Return what a run got wrong of the split that it reports, and these rows of its predictions.csv.

    Raises:
        Refusal: It has none that can be read.
    """
    path = find_run(folder) / "evaluation" / "predictions.csv"
    if not path.is_file():
        raise Refusal(NOT_FOUND, "the run has no predictions: it was not evaluated, or the bundle stands alone")
    try:
        answers = load_answers(path)
    except DataError:
        raise Refusal(NOT_FOUND, "the run's predictions.csv cannot be read") from None
    split = answers.list_splits()[-1]
    frame = answers.select(split).frame
    wrong = frame[frame["true"] != frame["predicted"]].sort_values("confidence", ascending=False, kind="stable")
    shown = wrong.head(MOST_MISTAKES).reset_index(drop=True)
    mistakes = [
        Mistake(index=place, id=row.id, true=row.true, predicted=row.predicted, confidence=row.confidence)
        for place, row in enumerate(shown.itertuples(index=False))
    ]
    return Mistakes(split=split, count=len(wrong), pictures=len(frame), mistakes=mistakes), shown


def show_remembered(model: ServedModel, index: int) -> bytes:
    """Return a small copy of a training picture that the bundle remembers.

    Raises:
        Refusal: There is no such picture, or its file is gone.
    """
    if model.feature_bank is None or not 0 <= index < len(model.feature_bank.frame):
        raise Refusal(NOT_FOUND, f"the model {model.name} remembers no training picture {index}")
    return shrink_file(str(model.feature_bank.frame["path"].iloc[index]))


def show_mistake(folder: Path, index: int) -> bytes:
    """Return a small copy of a picture that the run got wrong: the kept one, or one of the file.

    Raises:
        Refusal: There is no such picture, or its file is gone.
    """
    _, rows = load_mistakes(folder)
    if not 0 <= index < len(rows):
        raise Refusal(NOT_FOUND, f"there is no mistake {index}")
    kept = RunFolder(find_run(folder)).thumbnail(str(rows["id"].iloc[index]))
    return kept.read_bytes() if kept.is_file() else shrink_file(str(rows["path"].iloc[index]))


def find_run(folder: Path) -> Path:
    """Return the run folder of a run or of its bundle."""
    return RunFolder(folder.parent if folder.name == "bundle" else folder).root


@lru_cache(maxsize=256)
def shrink_file(path: str, side_pixels: int = _SIDE_PIXELS) -> bytes:
    """Return a small copy of a picture as a JPEG, no side above `side_pixels`.

    Raises:
        Refusal: It cannot be read any more.
    """
    try:
        image = decode_image(path, covering=lambda _width, _height: (side_pixels, side_pixels))
    except BadImageError:
        raise Refusal(NOT_FOUND, "the file of this picture cannot be read any more") from None
    image.thumbnail((side_pixels, side_pixels))
    return encode_jpeg(image)
