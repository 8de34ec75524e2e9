"""Features of the sets by pretrained networks, computed once by the code of the product and kept in its cache."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from discern.data.cache.home import build_cache
from discern.data.sources.load import load_table
from discern.labelling.heap import choose_label_start, load_label_settings
from discern.planning.sizes import measure_sides
from discern.planning.start import compute_start_features
from discern.runtime import choose_runtime


class LabelledSet(NamedTuple):
    """The features (N, F) of all pictures of a set by one network, and the classes (N,) that they truly have."""

    name: str
    network: str
    features: NDArray[np.float32]
    targets: NDArray[np.int64]


def load_set(name: str, table_file: Path, network: str, weights: Path, work: Path) -> LabelledSet:
    """Compute features of the pictures that a table lists, or find them in the cache below `work`."""
    settings = load_label_settings([f"model.backbone={network}", f"model.weights={weights}", "data.split_column=none"])
    table = load_table(table_file)
    sides = measure_sides(table, settings.data.max_pixels)
    runtime = choose_runtime(threads=1)
    with runtime.applied():
        features = compute_start_features(
            choose_label_start(settings), settings, table, sides, runtime, build_cache(work / "cache")
        )
    return LabelledSet(name, network, features, table.targets())
