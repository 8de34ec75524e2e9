"""The pictures to label: each different one once, with the features that its class is learnt from."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from discern.config.load import load_settings
from discern.config.settings import Settings
from discern.counts import count_of
from discern.data.cache.array_cache import ArrayCache
from discern.data.duplicates.fingerprints import compute_fingerprints
from discern.data.duplicates.matching import find_duplicates
from discern.data.reading.deep_pixels import DepthRange
from discern.data.stored_pictures import is_remote
from discern.data.table import ImageTable
from discern.errors import DataError, ImageProblem, WeightsError, list_some
from discern.models.backbone import has_stage_maps
from discern.models.weights.catalog import PUBLISHED_NAMES
from discern.models.weights.pretrained import is_cached
from discern.planning.candidates import Start, choose_first_start
from discern.planning.sizes import measure_sides
from discern.planning.start import compute_start_features
from discern.runtime import Runtime

logger = logging.getLogger("discern")

Numbers = npt.NDArray[np.float32]
_MIN_PICTURES = 20


@dataclass(frozen=True, eq=False)
class Heap:
    """G different pictures, by `keys` in the order of the source.

    `files` has the files of each, the first of which is shown; the others show the same. `features` (G, F) are those of
    `normalize_features`. `problems` are the files that cannot be used.
    """

    name: str
    keys: Sequence[str]
    files: Sequence[Sequence[str]]
    features: Numbers
    depth_range: DepthRange | None = None
    problems: Sequence[ImageProblem] = ()

    def __len__(self) -> int:
        return len(self.keys)


def load_label_settings(overrides: Sequence[str]) -> Settings:
    """Return the settings that pictures are labelled with: those of `auto`.

    Raises:
        ConfigError: An override cannot be used.
    """
    return load_settings("auto", overrides)


def choose_label_start(settings: Settings) -> Start:
    """Return the network of the settings, or the first on this machine, and what is read of it.

    Where the settings leave open what is read, it is the stages: with few labels, covariances add nothing.

    Raises:
        WeightsError: A file in the folder of weights is not named after a network.
    """
    start = choose_first_start(settings)
    reads_stages = settings.model.features == "auto" and has_stage_maps(start.backbone)
    return start._replace(features="stages") if reads_stages else start


def build_heap(table: ImageTable, settings: Settings, runtime: Runtime, cache: ArrayCache) -> Heap:
    """Read all pictures once, find those that show the same, and compute features by a pretrained network.

    The network is that of the settings, or the first on this machine.

    Raises:
        DataError: There are too few pictures that can be used, or some are no files.
        WeightsError: There is no pretrained network, or it cannot be used.
    """
    paths = table.frame["path"].tolist()
    if any(path == "" or is_remote(path) for path in paths):
        raise DataError(f"{table.source}: pictures in memory and at addresses cannot be labelled; give files")
    start = choose_label_start(settings)
    _check_weights(start)
    fingerprints = compute_fingerprints(table, cache, max_pixels=settings.data.max_pixels)
    usable = np.flatnonzero(fingerprints.is_usable)
    clusters = find_duplicates(fingerprints).clusters[usable]
    groups = _list_groups(clusters)
    if len(groups) < _MIN_PICTURES:
        unreadable = [f"{problem.path}: {problem.reason}" for problem in fingerprints.problems]
        raise DataError(
            f"{table.source}: {count_of(len(groups), 'different picture')} can be used; expected {_MIN_PICTURES} or "
            "more, fewer are labelled sooner by sorting them into folders"
            + (f". Not readable:\n{list_some(unreadable)}" if unreadable else "")
        )
    pictures = table.take(usable[[rows[0] for rows in groups]])
    logger.info("features of %s by %s", count_of(len(pictures), "picture"), start.describe())
    sides = measure_sides(pictures, settings.data.max_pixels)
    features = compute_start_features(start, settings, pictures, sides, runtime, cache)
    return Heap(
        Path(table.source).name or table.source,
        pictures.frame["id"].tolist(),
        [[paths[usable[row]] for row in rows] for rows in groups],
        normalize_features(features),
        table.depth_range,
        fingerprints.problems,
    )


def normalize_features(features: Numbers) -> Numbers:
    """Return features (N, F) standardised over all pictures, then those of each picture with the length sqrt(F)."""
    standard = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    lengths = np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-6)
    return np.asarray(standard * (np.sqrt(features.shape[1]) / lengths), np.float32)


def draw_numbers(keys: Sequence[str], *names: object) -> npt.NDArray[np.float64]:
    """Return a number in 0..1 for each key, as if at random, which no other key and no order of keys changes."""
    begin = " ".join(map(str, names))
    digests = (hashlib.blake2b(f"{begin} {key}".encode(), digest_size=8).digest() for key in keys)
    return np.array([int.from_bytes(one, "big") / 2**64 for one in digests])


def _list_groups(clusters: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Return the rows of each different picture, in the order of their first rows; a cluster of -1 is a lone row."""
    lone = np.flatnonzero(clusters < 0)
    numbers = clusters.copy()
    numbers[lone] = clusters.max(initial=-1) + 1 + np.arange(len(lone))
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return sorted((rows for rows in groups if len(rows)), key=lambda rows: int(rows[0]))


def _check_weights(start: Start) -> None:
    if start.weights == "none":
        raise WeightsError("model.weights=none: features of random weights say nothing; name a pretrained network")
    if start.weights in PUBLISHED_NAMES and not is_cached(start.backbone, start.weights):
        raise WeightsError(
            f"the weights of {start.backbone} are not on this machine, and labels are suggested by a pretrained "
            f"network. Fetch them with discern weights fetch {start.backbone}, or name the file of another network: "
            "model.backbone=timm:mobilenetv2_100 model.weights=FILE"
        )
