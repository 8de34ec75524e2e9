"""Growth is told as a power of the number of pictures."""

import numpy as np
from benchmarks.scale.__main__ import Cost, tabulate
from benchmarks.scale.pictures import draw_set

from discern.data.duplicates.fingerprints import compute_fingerprints
from discern.data.duplicates.matching import find_duplicates
from discern.data.sources.load import load_table


def test_what_grows_faster_than_its_pictures_is_marked():
    costs = {
        10: {"even": [Cost(1, 1, 1e8)], "steep": [Cost(1, 1, 1e8)], "quick": [Cost(0.01, 0.01, 1e8)]},
        1000: {"even": [Cost(100, 100, 2e8)], "steep": [Cost(900, 900, 2e8)], "quick": [Cost(1, 0.4, 2e8)]},
    }
    even, steep, quick = tabulate(costs)[2:]
    assert even.endswith("| 1.00, 98.6 KiB each |")
    assert steep.endswith("| 1.48, 98.6 KiB each **more than linear** |")
    assert quick.endswith("| 0.80, 98.6 KiB each |")


def test_drawn_pictures_are_different_and_blends_are_alike(tmp_path):
    found = {}
    for kind in ("different", "blends"):
        table = load_table(draw_set(tmp_path / kind, kind, 60))
        found[kind] = len(find_duplicates(compute_fingerprints(table)).pairs)
    assert found["different"] == 0
    assert found["blends"] > 30
    first = np.fromfile(tmp_path / "blends" / "class0" / "000000.jpg", np.uint8)
    draw_set(tmp_path / "again", "blends", 60)
    assert (np.fromfile(tmp_path / "again" / "class0" / "000000.jpg", np.uint8) == first).all()
