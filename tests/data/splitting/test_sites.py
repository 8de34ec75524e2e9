import numpy as np
import pandas as pd
import pytest

from discern.data.splitting.sample import draw_sample
from discern.data.splitting.sites import find_sites, hold_out_site
from discern.data.table import build_table
from discern.errors import DataError

FRACTIONS = (0.7, 0.15, 0.15)


@pytest.fixture
def table():
    """Three cameras with twelve ants and bees each; only the last has wasps."""
    rows = [(f"{camera}{number}", label, camera) for camera in "abc" for number, label in enumerate(["ant", "bee"] * 6)]
    rows += [(f"wasp{number}", "wasp", "c") for number in range(3)]
    ids, labels, sites = zip(*rows, strict=True)
    return build_table({"id": ids, "path": ids, "label": labels}, source="t.csv"), np.array(sites, dtype=object)


def test_a_site_is_the_whole_test_split_and_nothing_else_is(table):
    pictures, sites = table
    held_out = hold_out_site(pictures, sites, "a", fractions=FRACTIONS, seed=0)
    frame = held_out.table.frame
    assert (frame["id"].str.startswith("a") == (frame["split"] == "test")).all()
    assert held_out.missing_classes == ()
    assert len(held_out.table) == len(pictures)
    assert len(held_out.table.select("validation")) > 0
    again = hold_out_site(pictures, sites, "a", fractions=FRACTIONS, seed=0)
    pd.testing.assert_frame_equal(again.table.frame, frame)


def test_classes_that_no_other_site_has_are_left_out_and_named(table):
    held_out = hold_out_site(*table, "c", fractions=FRACTIONS, seed=0)
    assert held_out.missing_classes == ("wasp",)
    assert held_out.left_out == ("wasp0", "wasp1", "wasp2")
    assert held_out.table.class_names == ("ant", "bee")
    assert len(held_out.table.select("test")) == 12


def test_pictures_without_a_site_are_in_training_each_time(table):
    pictures, sites = table
    sites[sites == "b"] = ""
    frame = hold_out_site(pictures, sites, "a", fractions=FRACTIONS, seed=0).table.frame
    assert not (frame.loc[frame["id"].str.startswith("b"), "split"] == "test").any()


def test_a_site_whose_classes_are_all_its_own_cannot_be_measured(table):
    pictures, sites = table
    sites[:] = "a"
    sites[-3:] = "z"
    with pytest.raises(DataError, match="none of its classes is at another site: wasp"):
        hold_out_site(pictures, sites, "z", fractions=FRACTIONS, seed=0)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a", "a"], "the column 'camera' has only 'a'; to leave one out takes two sites or more"),
        ([None, None], "has no value"),
        (list("abcd"), r"has 4 values \(a, b, c and 1 more\), and each takes a training; at most 3 are accepted"),
    ],
)
def test_too_few_and_too_many_sites_are_refused(names, text):
    ids = list(map(str, range(len(names))))
    pictures = build_table({"id": ids}, source="t.csv")
    with pytest.raises(DataError, match=text):
        find_sites(pictures, pd.Series(names, index=ids, dtype="str"), column="camera", max_sites=3)


def test_a_sample_depends_on_the_seed_and_a_smaller_one_begins_a_larger_one(table):
    pictures, _ = table
    large = draw_sample(pictures, 20, seed=1).frame["id"].tolist()
    turned = pictures.take(np.arange(len(pictures))[::-1])
    assert draw_sample(turned, 8, seed=1).frame["id"].tolist() == large[:8]
    assert draw_sample(pictures, 20, seed=2).frame["id"].tolist() != large
    assert len(draw_sample(pictures, 1000, seed=1)) == len(pictures)
    counts = np.zeros(len(pictures))
    for seed in range(400):
        counts[pictures.find_rows(draw_sample(pictures, 13, seed=seed))] += 1
    assert counts.min() > 80  # of 133 expected: each picture has the same chance
    assert counts.max() < 190
