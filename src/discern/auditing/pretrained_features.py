"""Features of the labelled pictures by a pretrained network, for what needs more than pixels."""

import logging
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.config.settings import Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.duplicates.fingerprints import Fingerprints
from discern.data.table import ImageTable
from discern.models.weights.catalog import PUBLISHED_NAMES
from discern.models.weights.pretrained import is_cached
from discern.planning.candidates import Start, choose_first_start
from discern.planning.sizes import measure_sides
from discern.planning.start import compute_start_features
from discern.processes import ALONE
from discern.runtime import Runtime

logger = logging.getLogger("discern")


class LabelledFeatures(NamedTuple):
    """Features (N, F) of the labelled pictures of a table that can be used, which are its `rows` (N,)."""

    rows: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]


def compute_labelled_features(
    table: ImageTable, fingerprints: Fingerprints, settings: Settings, runtime: Runtime, cache: ArrayCache
) -> LabelledFeatures | None:
    """Compute features by the network that the settings name; None, with the reason in the log, where there are none.

    With `auto` it is the first of those on this machine; nothing is downloaded. Several processes compute one after the
    other: the later ones find in the cache what the first has computed.

    Raises:
        WeightsError: A file of weights was named that cannot be used.
        DataError: There is no room for the features.
    """
    start = choose_first_start(settings)
    rows = np.flatnonzero(fingerprints.is_usable & table.frame["label"].notna().to_numpy())
    obstacle = _find_obstacle(start)
    if obstacle or len(rows) < 2:
        logger.info("wrong labels were not looked for: %s", obstacle or "there are no labelled pictures")
        return None
    pictures = table.take(rows)
    sides = measure_sides(pictures, settings.data.max_pixels)
    alone = replace(runtime, processes=ALONE)
    return LabelledFeatures(rows, compute_start_features(start, settings, pictures, sides, alone, cache))


def _find_obstacle(start: Start) -> str:
    """Return why there can be no features of a pretrained network; empty where there can."""
    if start.weights == "none":
        return "model.weights=none, and features of random weights say nothing"
    if start.weights not in PUBLISHED_NAMES or is_cached(start.backbone, start.weights):
        return ""
    return (
        f"the weights of {start.backbone} are not on this machine; give model.weights=FILE, or fetch them with "
        "discern weights fetch"
    )
