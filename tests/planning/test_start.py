"""Where a run starts from: a linear probe decides, and nothing is fetched for it."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from discern.config.load import load_settings
from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.errors import ConfigError
from discern.models.backbone import build_backbone
from discern.models.weights.catalog import find_weights
from discern.planning.sizes import measure_sides
from discern.planning.start import choose_start
from discern.runtime import choose_runtime
from discern.workflows.audit import audit

BACKBONE = "resnet18-half"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights that see something, and weights that see nothing."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    state = {name: tensor.contiguous() for name, tensor in build_backbone(BACKBONE).network.state_dict().items()}
    save_file(state, folder / "seeing.safetensors")
    save_file(state | {"conv1.weight": torch.zeros_like(state["conv1.weight"])}, folder / "blind.safetensors")
    return folder


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Pictures three times as wide as high, whose classes differ at the left edge alone."""
    folder = tmp_path_factory.mktemp("wide")
    rng = np.random.default_rng(0)
    for name, colour in {"red": (220, 30, 30), "blue": (30, 30, 220)}.items():
        (folder / name).mkdir()
        for number in range(20):
            pixels = rng.integers(90, 170, (48, 144, 3), dtype=np.uint8)
            pixels[:, :40] = np.array(colour) + rng.integers(-25, 25, (48, 40, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


def start(folder, overrides, recipe="auto"):
    settings = load_settings(recipe, [f"model.backbone={BACKBONE}", "data.image_size=48", *overrides])
    table = split_table(load_table(folder), fractions=(0.8, 0.2, 0.0), seed=0)[0]
    return choose(settings, table)


def choose(settings, table):
    train = table.select("train")
    sides = measure_sides(train, settings.data.max_pixels)
    return choose_start(settings, train, sides, choose_runtime(device="cpu", threads=1), None)


def name_candidates(*paths):
    listed = ", ".join(f'{{backbone="{BACKBONE}", weights="{path}"}}' for path in paths)
    return f"model.candidates=[{listed}]"


def test_the_weights_that_see_more_are_taken_with_the_evidence(wide, weights):
    candidates = name_candidates(weights / "blind.safetensors", weights / "seeing.safetensors")
    found, reason = start(wide, [candidates, "data.fit=squash"])
    assert found.weights == str(weights / "seeing.safetensors")
    assert reason.startswith(f"{BACKBONE} seeing.safetensors squash, by the loss of a linear probe on 32 pictures")
    assert reason.endswith("(100.0 % correct)")
    assert f"{BACKBONE} blind.safetensors squash" in reason


def test_pictures_are_squashed_where_cropping_would_cut_off_what_matters(wide, weights):
    found, reason = start(wide, [f"model.weights={weights / 'seeing.safetensors'}"])
    assert found.fit == "squash"
    assert "seeing.safetensors crop" in reason


def test_square_pictures_need_no_comparison(photos, weights):
    found, reason = start(photos, [f"model.weights={weights / 'seeing.safetensors'}"])
    assert (found.fit, reason) == ("squash", None)


def test_weights_that_are_not_here_are_no_candidates_and_nothing_is_fetched(wide, weights, monkeypatch):
    monkeypatch.setattr("discern.models.weights.pretrained.download", lambda *_, **__: pytest.fail("a download"))
    found, reason = start(wide, [name_candidates(weights / "missing.safetensors")])
    assert (found.weights, found.fit, reason) == ("imagenet", "squash", None)


def test_the_only_published_weights_that_are_here_are_taken(photos, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    older = tmp_path / "weights" / find_weights("resnet50", "imagenet-v1").file_name
    older.parent.mkdir()
    for hurry in ([], ["run.budget=30s"]):
        older.unlink(missing_ok=True)
        found, _ = start(photos, ["model.backbone=resnet50", *hurry])
        assert found.weights == "imagenet"
        older.touch()
        found, reason = start(photos, ["model.backbone=resnet50", *hurry])
        assert (found.weights, reason) == ("imagenet-v1", None)


def test_the_own_network_is_kept_where_another_is_no_better(wide, weights):
    own = [f"model.weights={weights / 'seeing.safetensors'}", "data.fit=squash"]
    found, reason = start(wide, [*own, name_candidates(weights / "blind.safetensors")])
    assert found.weights == str(weights / "seeing.safetensors")
    assert reason.startswith(f"{BACKBONE} seeing.safetensors squash")


def test_a_candidate_names_weights():
    with pytest.raises(ConfigError, match=r"model\.candidates\.0\.weights: none names no weights"):
        load_settings("auto", ['model.candidates=[{backbone="resnet18", weights="none"}]'])


def test_classes_of_one_picture_are_left_out_of_the_comparison(wide, weights, tmp_path):
    for name in ("red", "blue"):
        shutil.copytree(wide / name, tmp_path / name)
    (tmp_path / "lone").mkdir()
    shutil.copy(next((wide / "red").iterdir()), tmp_path / "lone" / "0.png")
    settings = load_settings(
        "auto", [f"model.backbone={BACKBONE}", "data.image_size=48", f"model.weights={weights / 'seeing.safetensors'}"]
    )
    table = split_table(load_table(tmp_path), fractions=(1.0, 0.0, 0.0), seed=0)[0]
    _, reason = choose(settings, table)
    assert "on 40 pictures" in reason


def test_a_short_budget_leaves_no_time_to_compare(wide, weights):
    found, reason = start(wide, [f"model.weights={weights / 'seeing.safetensors'}", "run.budget=30s"])
    assert (found.fit, reason) == ("squash", None)


def test_what_a_recipe_says_is_kept(wide, weights):
    found, reason = start(wide, [f"model.weights={weights / 'seeing.safetensors'}"], recipe="transfer")
    assert (found.fit, reason) == ("crop", None)


def test_an_audit_takes_what_is_usual(wide, weights, tmp_path):
    overrides = [f"model.backbone={BACKBONE}", f"model.weights={weights / 'seeing.safetensors'}"]
    assert audit(wide, out=tmp_path / "audit", overrides=[*overrides, "data.image_size=48"]).content["form"] == "full"
