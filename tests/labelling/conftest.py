"""A heap whose classes are easy to tell, without files."""

import numpy as np
import pytest

from discern.labelling.goal import Goal
from discern.labelling.heap import Heap, normalize_features
from discern.labelling.journal import Journal
from discern.labelling.session import LabellingSession
from labelled_heap import NAMES


@pytest.fixture(scope="session")
def heap(tmp_path_factory):
    """300 pictures of three classes; the first has two more files that show the same."""
    folder = tmp_path_factory.mktemp("heap")
    rng = np.random.default_rng(0)
    targets = np.arange(300) % 3
    features = 4 * np.eye(3, 12)[targets] + rng.normal(size=(300, 12))
    keys = [f"{place:03}-{NAMES[target]}.jpg" for place, target in enumerate(targets)]
    files = [[str(folder / "photos" / key)] for key in keys]
    files[0] += [str(folder / "photos" / name) for name in ("copy one.jpg", "copy,two.jpg")]
    return Heap("photos", keys, files, normalize_features(features.astype(np.float32)))


@pytest.fixture
def begin(heap, tmp_path):
    """Open a labelling of the heap; a second call goes on with what the first left."""
    opened = []

    def begin_one(**more):
        session = LabellingSession(heap, Journal(tmp_path / "labels.csv"), Goal(0.1, 0.8), **more)
        opened.append(session)
        return session

    yield begin_one
    for session in opened:
        session.close()
