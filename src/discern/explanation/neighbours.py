"""The training pictures that are most similar to others, by the features of a classifier."""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from discern.data.moved import find_pictures
from discern.data.reading.thumbnails import load_thumbnail
from discern.data.table import ImageTable, build_table
from discern.errors import BadImageError
from discern.plots.explanation import Neighbour
from discern.predictor.predictor import Predictor

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class NearPicture:
    """A training picture, and its cosine similarity to another, at most 1."""

    id: str
    path: str
    label: str
    similarity: float


def find_neighbours(
    predictor: Predictor, table: ImageTable, count: int, root: Path, data: str | Path | None
) -> list[list[NearPicture]]:
    """Return for each picture of a table up to `count` training pictures, the most similar first, never itself.

    Training pictures that are not there any more are looked for below `data`; see `find_pictures`.
    """
    bank = predictor.bundle.feature_bank
    if bank is None and count:
        logger.info("the bundle has no feature bank, so no similar training pictures can be shown")
    if bank is None or not count or not len(table):
        return [[] for _ in range(len(table))]
    _, features = predictor.predict_features(table)
    similarities, rows = bank.find_nearest(features, count + 1)
    frame = bank.frame.fillna("").astype("str")
    known = frame.assign(path=find_pictures(frame["path"].tolist(), root, data)).to_dict("records")
    neighbours = []
    for path, near_rows, near in zip(table.frame["path"], rows, similarities, strict=True):
        found = [NearPicture(**known[row], similarity=float(value)) for row, value in zip(near_rows, near, strict=True)]
        neighbours.append([picture for picture in found if not _is_same_file(picture.path, path)][:count])
    return neighbours


def show_neighbour(picture: NearPicture, max_pixels: int, depth_range: tuple[float, float] | None = None) -> Neighbour:
    """Return the picture with its pixels, or without them if its file can no longer be read."""
    table = build_table({"id": [picture.id], "path": [picture.path]}, source="neighbours")
    table = replace(table, depth_range=depth_range)
    try:
        image = load_thumbnail(table, 0, max_pixels=max_pixels) if picture.path else None
    except BadImageError:
        image = None
    return Neighbour(image, picture.id, picture.label, picture.similarity)


def name_neighbours(neighbours: list[list[NearPicture]]) -> pd.DataFrame:
    """Return one row per picture: neighbour (its id), neighbour_label, neighbour_similarity, neighbour_2 and so on."""
    columns: dict[str, list[object]] = {}
    for place in range(max(map(len, neighbours), default=0)):
        suffix = f"_{place + 1}" if place else ""
        near = [found[place] if place < len(found) else None for found in neighbours]
        columns[f"neighbour{suffix}"] = [picture and picture.id for picture in near]
        columns[f"neighbour_label{suffix}"] = [picture and picture.label for picture in near]
        columns[f"neighbour_similarity{suffix}"] = [picture and picture.similarity for picture in near]
    return pd.DataFrame(columns, index=range(len(neighbours)))


def _is_same_file(path: str, other: str) -> bool:
    return bool(path) and bool(other) and os.path.realpath(path) == os.path.realpath(other)
