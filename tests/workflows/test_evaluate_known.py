"""Evaluating pictures that the run was trained on: they are found under any name, and scored apart."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.data.sources.load import load_table
from discern.data.table import build_table
from discern.evaluation.known_pictures import find_known, load_known_pictures
from discern.evaluation.metrics import Metrics, compute_metrics
from discern.evaluation.predictions import build_predictions
from discern.reports.known_scores import write_scores_without_known
from pictures import draw_photo


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Path:
    """A folder with the split of a run on `photos`: of each class eight for training, two each for the rest."""
    paths = sorted(photos.rglob("*.png"))
    splits = (["train"] * 8 + ["validation"] * 2 + ["test"] * 2) * 3
    frame = pd.DataFrame({"id": [path.name for path in paths], "path": paths, "label": "x", "split": splits})
    (tmp_path / "run").mkdir()
    frame.to_csv(tmp_path / "run" / "split.csv", index=False)
    return tmp_path / "run"


def find(run: Path, folder: Path) -> dict[str, str]:
    pictures = load_table(folder)
    splits, _ = find_known(pictures, load_known_pictures(run, None), None, max_pixels=10**8)
    return dict(zip([Path(path).name for path in pictures.frame["path"]], splits, strict=True))


def test_pictures_are_known_by_content_whatever_their_names(run: Path, tmp_path: Path) -> None:
    frame, folder = pd.read_csv(run / "split.csv"), tmp_path / "new" / "x"
    folder.mkdir(parents=True)
    first = {split: frame.loc[frame["split"] == split, "path"].iloc[0] for split in ("train", "validation", "test")}
    shutil.copy(first["train"], folder / "renamed.png")
    Image.open(first["train"]).convert("RGB").save(folder / "saved again.jpg", quality=80)
    shutil.copy(first["validation"], folder / "chosen by.png")
    shutil.copy(first["test"], folder / "of the test split.png")
    draw_photo((10, 250, 240), 4711).save(folder / "new.png")
    (tmp_path / "new" / "y").mkdir()
    draw_photo((250, 20, 140), 815).save(tmp_path / "new" / "y" / "also new.png")
    assert find(run, tmp_path / "new") == {
        "renamed.png": "train",
        "saved again.jpg": "train",
        "chosen by.png": "validation",
        "of the test split.png": "",
        "new.png": "",
        "also new.png": "",
    }


def test_a_bundle_knows_the_pictures_of_its_feature_bank_and_no_others(run: Path, tmp_path: Path) -> None:
    bank = pd.DataFrame({"id": ["a"], "path": [str(tmp_path / "gone.png")], "label": ["x"]})
    known = load_known_pictures(tmp_path / "bundle", bank)
    assert known.to_dict("records") == [{"id": "a", "path": str(tmp_path / "gone.png"), "split": "train"}]
    draw_photo((10, 250, 240), 1).save(tmp_path / "one.png")
    pictures = build_table({"id": ["one"], "path": [str(tmp_path / "one.png")]}, source="one")
    splits, compared = find_known(pictures, known, None, max_pixels=10**8)
    assert (set(splits), compared) == ({""}, 0)
    assert load_known_pictures(tmp_path / "bundle", None).empty


def score(known: list[str], folder: Path) -> tuple[Metrics, dict[str, Metrics]]:
    """Score six pictures, the first three of which are answered correctly."""
    targets, probabilities = np.array([0, 1, 0, 1, 0, 1]), np.eye(2)[[0, 1, 0, 0, 1, 0]]
    predictions = build_predictions(list("abcdef"), [""] * 6, targets, probabilities, ["x", "y"], split="all")
    found = compute_metrics(targets, probabilities, ["x", "y"], resamples=10)
    return found, write_scores_without_known(predictions, np.array(known, dtype=object), {"all": found}, folder)


def test_the_scores_without_them_stand_beside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "discern")
    found, scores = score(["train", "train", "validation", "", "", ""], tmp_path)
    assert list(scores) == ["all", "all without known pictures"]
    assert scores["all"] == found
    assert (scores["all without known pictures"].count, scores["all without known pictures"].accuracy.value) == (3, 0)
    assert list(json.loads((tmp_path / "metrics.json").read_text())) == list(scores)
    assert pd.read_csv(tmp_path / "known_pictures.csv")["split_of_run"].tolist() == ["train", "train", "validation"]
    assert "of these 6 pictures the run was trained on 2, and 1 more chose what it kept" in caplog.text
    header, accuracy = (
        record.message for record in caplog.records if record.message.lstrip().startswith(("all", "acc"))
    )
    assert header.split() == ["all", "6", "pictures", "without", "the", "known,", "3"]
    assert [cell.strip().split(" (")[0] for cell in accuracy.split("  ")[1:] if cell] == ["50.0 %", "0.0 %"]
    assert header.index("without") == accuracy.index(" 0.0 %") + 1


def test_where_none_is_new_that_is_said_and_where_all_are_nothing_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found, scores = score(["train"] * 6, tmp_path)
    assert scores == {"all": found}
    assert "none is new" in caplog.text
    caplog.clear()
    _, scores = score([""] * 6, tmp_path)
    assert (list(scores), caplog.text) == (["all"], "")
    assert not (tmp_path / "known_pictures.csv").exists()
