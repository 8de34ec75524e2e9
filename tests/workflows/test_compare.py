import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.errors import ConfigError, DataError, RunFolderError, WriteError
from discern.tuning import variant_runs
from discern.tuning.variants import build_variants
from discern.workflows.compare import compare
from html_checks import check_page
from pictures import QUICK, draw_photos


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two sizes and a recipe whose weights are missing, two seeds each, in a folder of their own."""
    place = tmp_path_factory.mktemp("compare")
    photos = draw_photos(place / "photos", per_class=12)
    varied = ["model.weights=none,/nowhere/weights.safetensors"]
    overrides = [text for text in QUICK if "weights" not in text]
    arguments = {"recipes": ["table"], "varied": varied, "seeds": 2, "overrides": overrides}
    table = compare(photos, out=place / "out", **arguments)
    return place, photos, arguments, table


def test_the_table_says_what_the_runs_say(compared):
    place, _, _, table = compared
    written = pd.read_csv(place / "out" / "comparison.csv")
    assert list(written["name"]) == list(table["name"]) == ["weights=none", "weights=weights.safetensors"]
    files = [place / "out" / "runs" / f"00-seed{seed}" / "evaluation" / "metrics.json" for seed in (0, 1)]
    metrics = [json.loads(file.read_text()) for file in files]
    mean, tested = (np.mean([one[split]["accuracy"]["value"] for one in metrics]) for split in ("validation", "test"))
    first = table.iloc[0]
    assert first["accuracy"] == pytest.approx(mean)
    assert first["accuracy_low"] <= mean <= first["accuracy_high"]
    assert first["pictures"] == metrics[0]["validation"]["count"]
    assert first["seconds"] > 0
    assert 0.1 < first["peak_gigabytes"] < 20
    with Image.open(place / "out" / "comparison.png") as plot:
        assert min(plot.size) > 200
    page = check_page((place / "out" / "comparison.html").read_text(encoding="utf-8"))
    assert f"{100 * mean:.1f}" in page.text
    assert "Highest: weights=none; no other completed (on validation pictures, which also chose the epoch" in page.text
    count = metrics[0]["test"]["count"]
    assert f"On {count} test pictures, used for weights=none alone: {100 * tested:.1f} % [" in page.text
    assert "2 runs did not complete" in page.text
    assert "/nowhere/weights.safetensors" in page.text


def test_a_failed_run_is_reported_and_the_others_go_on(compared):
    place, _, _, table = compared
    assert list(table["runs"]) == [2, 0]
    assert list(table["failed"]) == [0, 2]
    record = json.loads((place / "out" / "runs" / "01-seed0.json").read_text())
    assert "/nowhere/weights.safetensors" in record["error"]
    assert np.isnan(table["accuracy"].iloc[1])


def test_all_runs_have_the_same_split(compared):
    place, *_ = compared
    shared = pd.read_csv(place / "out" / "split.csv")[["id", "label", "split"]]
    for seed in (0, 1):
        own = pd.read_csv(place / "out" / "runs" / f"00-seed{seed}" / "split.csv")
        pd.testing.assert_frame_equal(own[["id", "label", "split"]], shared)


@pytest.mark.slow
def test_asked_again_it_keeps_what_is_complete_and_adds_seeds(compared, capsys):
    place, photos, arguments, _ = compared
    bundle = place / "out" / "runs" / "00-seed0" / "bundle" / "bundle.json"
    before = bundle.stat().st_mtime_ns
    again = compare(photos, out=str(place / "out"), **{**arguments, "seeds": 3})
    shown = capsys.readouterr().out
    assert "6 of 6: weights=weights.safetensors, seed 2: failed" in shown
    assert "highest: weights=none; no other completed" in shown
    assert bundle.stat().st_mtime_ns == before
    assert again["runs"].iloc[0] == 3
    assert again["seconds"].iloc[0] > 0
    with pytest.raises(RunFolderError, match="holds a comparison of other ways of training or other data"):
        compare(photos, out=place / "out", **{**arguments, "varied": ["model.dropout=0.1,0.2"]})


def test_variants_are_every_combination_with_names_to_read():
    found = build_variants(["v1", "v2"], ["data.image_size=64,96", "training.phases.*.augment=none,light"], ["seed=3"])
    assert len(found) == 8
    assert found[0].name == "v1 image_size=64 augment=none"
    assert found[0].overrides == ("seed=3", "data.image_size=64", "training.phases.*.augment=none")
    lists = build_variants(["table"], ['training.phases.*.train=["head"],["layer4","head"]'], [])
    assert [variant.name for variant in lists] == ['train=["head"]', 'train=["layer4","head"]']


def test_files_of_the_same_name_are_told_apart_by_their_folders():
    found = build_variants(["table"], ["model.weights=a/model.safetensors,b/model.safetensors"], [])
    assert [variant.name for variant in found] == [
        "model.weights=a/model.safetensors",
        "model.weights=b/model.safetensors",
    ]


@pytest.mark.slow
def test_where_nothing_completes_the_reason_is_told_and_a_changed_recipe_is_another_comparison(photos, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('extends = "table"\n')
    arguments = {
        "recipes": [str(recipe)],
        "varied": ["model.weights=/nowhere/a,/nowhere/b"],
        "seeds": 3,
        "overrides": QUICK[2:],
    }
    with pytest.raises(DataError, match=r"no run completed with seed 0: .*nowhere/a.*nowhere/b.* see the \.log files"):
        compare(photos, out=tmp_path / "out", **arguments)
    assert sorted(path.stem for path in (tmp_path / "out" / "runs").glob("*.log")) == ["00-seed0", "01-seed0"]
    recipe.write_text('extends = "table"\n[model]\ndropout = 0.1\n')
    with pytest.raises(RunFolderError, match="other ways of training"):
        compare(photos, out=tmp_path / "out", **arguments)


@pytest.mark.parametrize(
    "overrides",
    [["data.split=[1,0,0]"], ["run.evaluate_test=false", "data.split=[0.7,0,0.3]"]],
)
def test_without_two_pictures_to_compare_on_nothing_is_trained(photos, tmp_path, overrides):
    with pytest.raises(DataError, match="compared on at least two held-out pictures; there are"):
        compare(
            photos,
            out=tmp_path / "out",
            recipes=["table"],
            varied=["model.dropout=0,0.1"],
            overrides=[*QUICK, *overrides],
        )
    assert not (tmp_path / "out" / "runs").exists()


@pytest.mark.parametrize(
    ("recipes", "varied", "message"),
    [
        (["v1"], [], "there is only one way of training, v1; name two recipes"),
        (["v1", "v1"], [], "the same way of training twice: v1"),
        (["v1"], ["data.image_size"], "varies nothing; write key=value,value"),
        (["v1"], ["data.split=[0.5,0.3,0.2],[0.7,0.2,0.1]"], "data.split cannot be varied"),
        (["v1"], ["data.imagesize=64,96"], "unknown setting"),
        (["v1", "v9"], [], "v9"),
    ],
)
def test_what_cannot_be_compared_is_told_before_the_first_run(recipes, varied, message, photos, tmp_path):
    with pytest.raises(ConfigError, match=message):
        compare(photos, out=tmp_path / "out", recipes=recipes, varied=varied)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_the_comparison_and_the_same_command_goes_on(photos, tmp_path, monkeypatch):
    started = []

    def fill(_, folder, **__):
        started.append(folder)
        raise WriteError(folder.root / "state", "the disk is full", "Make room there")

    monkeypatch.setattr(variant_runs, "run_child", fill)
    out = tmp_path / "out"
    with pytest.raises(WriteError) as caught:
        compare(photos, out=out, recipes=["table"], varied=["model.dropout=0.1,0.2"], overrides=QUICK)
    said = "the disk is full. Make room there, then "
    assert str(caught.value).endswith(f'{said}make the same call again with out="{out}"')
    assert caught.value.for_command_line().endswith(f"{said}run the same command again with --out {out}")
    assert len(started) == 1
