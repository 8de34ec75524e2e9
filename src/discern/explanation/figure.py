"""The figure of one explained picture."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from discern.data.reading.dataset import ImageDataset
from discern.data.reading.thumbnails import load_thumbnail
from discern.data.table import ImageTable
from discern.explanation.explained_picture import ExplainedPicture
from discern.explanation.maps import explain_predictions
from discern.explanation.overlay import overlay_map
from discern.explanation.placing import fade_unseen, place_on_picture
from discern.plots.explanation import Evidence, Neighbour, plot_explanation
from discern.predictor.predictor import Predictor

_SHOWN_PIXELS = 480
_LEGEND_GREY = 128


def draw_explanation(
    predictor: Predictor, table: ImageTable, picture: ExplainedPicture, neighbours: Sequence[Neighbour], method: str
) -> Figure:
    """Explain a picture of a table for each of its classes.

    Raises:
        BadImageError: It can no longer be decoded.
    """
    bundle, classes = predictor.bundle, picture.classes
    shown = load_thumbnail(table, picture.row, side_pixels=_SHOWN_PIXELS, max_pixels=bundle.max_pixels)
    square = ImageDataset(table, bundle.preprocess, max_pixels=bundle.max_pixels).read_canvas(picture.row)
    squares = square.expand(len(classes), *square.shape)
    maps = explain_predictions(predictor, squares, [explained.target for explained in classes], method)
    evidence = []
    for explained, values in zip(classes, maps, strict=True):
        placed = place_on_picture(values, (shown.shape[1], shown.shape[0]), bundle.preprocess)
        overlay = fade_unseen(overlay_map(shown, placed), bundle.preprocess)
        evidence.append(Evidence(overlay, explained.role, explained.name, explained.confidence))
    title = f"Evidence by {method}{picture.describe_familiarity(' | ')}"
    return plot_explanation(
        shown, picture.id, picture.true_name, evidence, neighbours, title=title, legend=_draw_legend()
    )


def _draw_legend() -> npt.NDArray[np.uint8]:
    grey = np.full((1, 256, 3), _LEGEND_GREY, dtype=np.uint8)
    return overlay_map(grey, np.linspace(0, 1, 256)[None])
