"""Where a run starts from: a linear probe decides, and nothing is fetched for it."""

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from discern.config.load import load_settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.errors import ConfigError, WeightsError
from discern.models.backbone import build_backbone
from discern.models.weights.catalog import find_weights
from discern.planning.candidates import Start
from discern.planning.sizes import measure_sides
from discern.planning.start import choose_start, compute_start_features
from discern.runtime import choose_runtime
from discern.workflows.audit import audit

BACKBONE = "resnet18-half"
OTHER = "test_resnet.safetensors"


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
    asked = [f"model.backbone={BACKBONE}", "model.features=last", "data.image_size=48", *overrides]
    settings = load_settings(recipe, asked)
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
    found, reason, _ = start(wide, [candidates, "data.fit=squash"])
    assert found.weights == str(weights / "seeing.safetensors")
    assert reason.startswith(f"{BACKBONE} seeing.safetensors squash, by the loss of a linear probe on 32 pictures")
    assert re.search(r"seeing.safetensors squash 0\.\d+ \(100.0 % correct, [\d.]+ ms a picture\)$", reason)
    assert f"{BACKBONE} blind.safetensors squash" in reason


def test_pictures_are_squashed_where_cropping_would_cut_off_what_matters(wide, weights):
    found, reason, _ = start(wide, [f"model.weights={weights / 'seeing.safetensors'}"])
    assert found.fit == "squash"
    assert "seeing.safetensors crop" in reason


def test_square_pictures_need_no_comparison(photos, weights):
    found, reason, _ = start(photos, [f"model.weights={weights / 'seeing.safetensors'}"])
    assert (found.fit, reason) == ("squash", None)


def test_what_the_head_reads_is_compared_on_features_that_are_computed_once(photos, weights, caplog):
    asked = [f"model.weights={weights / 'seeing.safetensors'}"]
    with caplog.at_level("INFO", logger="discern"):
        found = start(photos, [*asked, "model.features=auto"])
    name = f"{BACKBONE} seeing.safetensors squash"
    assert [one.name for one in found.candidates] == [f"{name} with covariances", name]
    assert found.candidates[0].loss != found.candidates[1].loss
    assert found.start.features == ("covariances" if found.candidates[0].is_chosen else "last")
    assert caplog.messages == [f"starting point: {found.reason}"]
    alone = start(photos, [*asked, name_candidates(weights / "blind.safetensors")])
    assert alone.candidates[0].loss == pytest.approx(found.candidates[1].loss, rel=0.01)


def test_training_finds_the_features_of_the_last_map_that_covariances_were_compared_with(
    photos, weights, tmp_path, caplog
):
    settings = load_settings("auto", [f"model.backbone={BACKBONE}", f"model.weights={weights / 'seeing.safetensors'}"])
    table = split_table(load_table(photos), fractions=(0.8, 0.2, 0.0), seed=0)[0].select("train")
    sides = measure_sides(table, settings.data.max_pixels)
    runtime = choose_runtime(device="cpu", threads=1)
    cache = ArrayCache(tmp_path / "cache", limit_bytes=2**30)
    last = Start(BACKBONE, str(weights / "seeing.safetensors"), "squash", "last")
    with caplog.at_level("DEBUG", logger="discern"):
        choose_start(settings, table, sides, runtime, cache)
        kept = compute_start_features(last, settings, table, sides, runtime, cache)
    assert sum(text.startswith(f"features of {len(table)} pictures:") for text in caplog.messages) == 1
    assert f"features of {len(table)} pictures are in the cache" in caplog.text
    np.testing.assert_array_equal(kept, compute_start_features(last, settings, table, sides, runtime, None))


def test_without_a_comparison_the_head_reads_the_last_map(wide, weights):
    asked = [f"model.weights={weights / 'seeing.safetensors'}", "model.features=auto"]
    assert start(wide, [*asked, "run.budget=10s"]).start.features == "last"
    assert start(wide, ["model.weights=none", "model.features=auto"]).start.features == "last"
    missing = start(wide, [f"model.weights={weights / 'missing.safetensors'}", "model.features=auto"])
    assert (missing.start.features, missing.reason) == ("last", None)


def test_weights_that_are_fetched_to_be_trained_are_read_in_both_ways(wide, tmp_path, monkeypatch):
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    fetched = []
    monkeypatch.setattr(
        "discern.planning.start.load_pretrained", lambda backbone, weights: fetched.append((backbone.name, weights))
    )
    asked = ["model.backbone=resnet18", "model.features=auto"]
    first = start(wide, asked)
    assert set(fetched) == {("resnet18", "imagenet")}
    assert [one.name for one in first.candidates] == [
        "resnet18 imagenet squash with covariances",
        "resnet18 imagenet squash",
    ]
    fetched.clear()
    assert start(wide, [*asked, "run.budget=10s"]).start.features == "last"
    assert not fetched


def test_weights_that_are_not_here_are_no_candidates_and_nothing_is_fetched(wide, weights, monkeypatch):
    monkeypatch.setattr("discern.models.weights.pretrained.download", lambda *_, **__: pytest.fail("a download"))
    found, reason, _ = start(wide, [name_candidates(weights / "missing.safetensors")])
    assert (found.weights, found.fit, reason) == ("imagenet", "squash", None)


def test_the_only_published_weights_that_are_here_are_taken(photos, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    older = tmp_path / "weights" / find_weights("resnet50", "imagenet-v1").file_name
    older.parent.mkdir()
    for hurry in ([], ["run.budget=30s"]):
        older.unlink(missing_ok=True)
        found, _, _ = start(photos, ["model.backbone=resnet50", *hurry])
        assert found.weights == "imagenet"
        older.touch()
        found, reason, _ = start(photos, ["model.backbone=resnet50", *hurry])
        assert found.weights == "imagenet-v1"
        assert reason == "resnet50 imagenet-v1, since no other weights to choose from are on this machine"


def test_the_own_network_is_kept_where_another_is_no_better(wide, weights):
    own = [f"model.weights={weights / 'seeing.safetensors'}", "data.fit=squash"]
    found, reason, _ = start(wide, [*own, name_candidates(weights / "blind.safetensors")])
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
    _, reason, _ = choose(settings, table)
    assert "on 40 pictures" in reason


def test_a_short_budget_leaves_no_time_to_compare(wide, weights, monkeypatch):
    reason = (
        f"{BACKBONE} seeing.safetensors squash, without a comparison: "
        "it would take more than the {} s that there are for it"
    )
    asked = [f"model.weights={weights / 'seeing.safetensors'}"]
    monkeypatch.setattr("discern.planning.start.estimate_probe_seconds", lambda cost, images, classes: 0.1 * images)
    found = start(wide, [*asked, "run.budget=30s"])
    assert (found.start.fit, found.reason, found.candidates) == ("squash", reason.format(3), ())
    monkeypatch.setattr("discern.planning.start.measure_start_cost", lambda *_: pytest.fail("a measurement"))
    assert start(wide, [*asked, "run.budget=10s"]).reason == reason.format(1)


def test_a_budget_shrinks_the_sample(wide, weights, monkeypatch):
    monkeypatch.setattr("discern.planning.start._MIN_SAMPLE", 10)
    monkeypatch.setattr("discern.planning.start.estimate_probe_seconds", lambda cost, images, classes: 0.075 * images)
    found = start(wide, [f"model.weights={weights / 'seeing.safetensors'}", "run.budget=30s"])
    assert "on 20 pictures" in found.reason


@pytest.fixture
def at_hand(tmp_path, monkeypatch, weights):
    """The folder of weights, with two networks that a user put there."""
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(weights / "seeing.safetensors", folder / f"{BACKBONE}.safetensors")
    other = build_backbone("timm:test_resnet").network
    save_file({name: torch.zeros_like(one) for name, one in other.state_dict().items()}, folder / OTHER)
    return folder


def start_unnamed(folder, *overrides):
    return start(folder, ["model.backbone=auto", "data.fit=squash", *overrides])


def test_networks_at_hand_are_compared_where_none_is_named(wide, at_hand, caplog):
    with caplog.at_level("INFO", logger="discern"):
        found = start_unnamed(wide)
    assert (found.start.backbone, found.start.weights) == (BACKBONE, str(at_hand / f"{BACKBONE}.safetensors"))
    names = [one.name for one in found.candidates]
    assert names == [f"{BACKBONE} squash", "timm:test_resnet squash"]
    assert [one.is_chosen for one in found.candidates] == [True, False]
    best = found.candidates[0]
    assert best.accuracy.low < best.accuracy.value == 1
    assert best.loss < found.candidates[1].loss
    assert min(best.multiply_adds, best.forward_milliseconds, best.training_seconds) > 0
    first, last = caplog.messages
    assert first == (
        f"comparing what is on this machine by linear probes: {BACKBONE}, timm:test_resnet; "
        "weights that are not here are not compared"
    )
    assert last == f"starting point: {found.reason}"


def test_a_network_that_is_named_is_never_replaced(wide, at_hand):
    found = start(wide, ["model.backbone=timm:test_resnet", "data.fit=squash"])
    assert found.start == ("timm:test_resnet", str(at_hand / OTHER), "squash", "last")
    assert not found.candidates


def test_weights_that_are_named_are_those_of_the_default_network(wide, at_hand):
    assert start_unnamed(wide, "model.weights=none").start == ("resnet50", "none", "squash", "last")


def test_the_only_network_at_hand_is_taken_with_the_reason(wide, at_hand):
    (at_hand / f"{BACKBONE}.safetensors").unlink()
    found = start_unnamed(wide)
    assert found.start.backbone == "timm:test_resnet"
    assert found.reason == "timm:test_resnet, since no other weights to choose from are on this machine"


def test_with_nothing_at_hand_the_default_is_a_resnet50(wide, tmp_path, monkeypatch):
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    assert start_unnamed(wide) == (("resnet50", "imagenet", "squash", "last"), None, ())


def test_very_large_networks_are_not_compared_unasked(wide, at_hand, monkeypatch, caplog):
    monkeypatch.setattr("discern.planning.candidates._MAX_BYTES", (at_hand / OTHER).stat().st_size)
    with caplog.at_level("INFO", logger="discern"):
        assert start_unnamed(wide).start.backbone == "timm:test_resnet"
    assert f"compared only if model.candidates names them: {BACKBONE}" in caplog.text


def test_a_file_that_is_named_after_no_network_is_refused(wide, at_hand):
    (at_hand / OTHER).rename(at_hand / "birds.safetensors")
    with pytest.raises(WeightsError) as caught:
        start_unnamed(wide)
    assert str(caught.value).startswith(
        f"{at_hand / 'birds.safetensors'} is not named after a network: timm has no network 'birds'; nearest: "
    )
    assert str(caught.value).endswith(
        "Name it as model.backbone would name its network, such as mobilenetv2_100.safetensors, or move it to another "
        "folder."
    )
    assert start(wide, ["model.weights=auto", "data.fit=squash"]).start.backbone == BACKBONE


def test_a_file_that_fits_not_the_network_it_is_named_after_is_refused(wide, at_hand):
    shutil.copy(at_hand / OTHER, at_hand / f"{BACKBONE}.safetensors")
    with pytest.raises(WeightsError) as caught:
        start_unnamed(wide)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{at_hand / BACKBONE}.safetensors does not fit the network")
    assert lines[-1] == (
        "They are compared because they are on this machine; to leave them out, remove the file or name a network, as "
        "in model.backbone=resnet50."
    )


def test_what_a_recipe_says_is_kept(wide, weights):
    found, reason, _ = start(wide, [f"model.weights={weights / 'seeing.safetensors'}"], recipe="transfer")
    assert (found.fit, reason) == ("crop", None)


def test_an_audit_takes_what_is_usual(wide, weights, tmp_path):
    overrides = [f"model.backbone={BACKBONE}", f"model.weights={weights / 'seeing.safetensors'}"]
    assert audit(wide, out=tmp_path / "audit", overrides=[*overrides, "data.image_size=48"]).content["form"] == "full"
