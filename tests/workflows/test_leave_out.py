"""Sites with a planted shortcut: what a random split promises does not hold where the shortcut is turned around."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.errors import ConfigError, DataError, RunFolderError
from discern.workflows.leave_out import leave_out
from html_checks import check_page
from pictures import QUICK


def draw_sites(folder, *, per_cell=12):
    """Draw grey noise in a tint for each camera; a bright band tells the class, at the camera "far" the other way."""
    rng, rows = np.random.default_rng(0), []
    tints = {"near": (1, 0.7, 0.7), "far": (0.7, 0.7, 1)}
    for camera, tint in tints.items():
        for label in ("ant", "bee"):
            for number in range(per_cell if camera == "near" else per_cell // 2):
                pixels = rng.integers(90, 160, (32, 32, 3)) * np.array(tint)
                pixels[:10] = 250 if (label == "bee") == (camera == "near") else 5
                name = f"{camera}-{label}-{number}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
                rows.append((name, label, camera))
    pd.DataFrame(rows, columns=["image", "label", "camera"]).to_csv(folder / "photos.csv", index=False)
    return folder / "photos.csv"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    place = tmp_path_factory.mktemp("sites")
    source = draw_sites(place)
    overrides = [*QUICK, "training.phases.*.epochs=6", "learning_rate=3e-3"]
    arguments = {"out": place / "out", "recipe": "table", "overrides": overrides, "verbose": False}
    return place, source, arguments, leave_out(source, "camera", **arguments)


def test_the_planted_drop_is_found_and_the_worst_site_comes_first(compared):
    place, _, _, table = compared
    assert set(table["site"]) == {"near", "far"}
    assert list(table["accuracy"]) == sorted(table["accuracy"])
    assert list(table["pictures"][table["site"] == "far"]) == [12]
    # What was learned at one camera is wrong at the other.
    assert table["accuracy"].max() < 0.5
    assert (table["promise"] - table["accuracy"] > 0.2).all()
    page = check_page((place / "out" / "sites.html").read_text(encoding="utf-8"))
    assert "at a camera that training has not seen" in page.text.lower()
    pd.testing.assert_frame_equal(
        pd.read_csv(place / "out" / "sites.csv")[["site", "pictures"]], table[["site", "pictures"]]
    )


def test_each_run_is_tested_on_its_site_alone(compared):
    place, source, _, _ = compared
    camera = pd.read_csv(source).set_index("image")["camera"]
    for folder, name in (("00", "far"), ("01", "near")):
        split = pd.read_csv(place / "out" / "runs" / folder / "split.csv")
        assert ((split["split"] == "test") == (split["id"].map(camera) == name)).all()


def test_asked_again_it_keeps_what_is_complete_and_refuses_another_column(compared):
    place, source, arguments, table = compared
    bundles = sorted((place / "out" / "runs").glob("*/bundle/bundle.json"))
    before = [path.stat().st_mtime_ns for path in bundles]
    again = leave_out(source, "camera", **arguments)
    assert [path.stat().st_mtime_ns for path in bundles] == before
    assert len(before) == 3
    pd.testing.assert_frame_equal(again, table)
    with pytest.raises(RunFolderError, match="another way of training"):
        leave_out(source, "camera", **{**arguments, "overrides": [*QUICK, "seed=4"]})


@pytest.mark.parametrize(
    ("column", "options", "error", "text"),
    [
        ("camera", {"overrides": ["data.group_column=camera"]}, ConfigError, "keeps each camera on one side already"),
        ("camera", {"overrides": ["run.folds=3"]}, ConfigError, "leave it out to leave out sites"),
        ("place", {}, DataError, "there is no column 'place'"),
        ("label", {}, DataError, "no site can be left out:\n  ant: none of its classes is at another site"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(compared, tmp_path, column, options, error, text):
    with pytest.raises(error, match=text):
        leave_out(compared[1], column, out=tmp_path / "o", verbose=False, **options)
    assert not (tmp_path / "o" / "runs").exists()


def test_a_folder_has_no_columns(photos, tmp_path):
    with pytest.raises(DataError, match="is a folder, which has no column 'camera'; list its pictures in a CSV file"):
        leave_out(photos, "camera", out=tmp_path / "o", verbose=False)
