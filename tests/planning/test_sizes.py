"""What the planner chooses by the pictures and the memory."""

import logging

import numpy as np
import pytest

from discern.config.load import load_settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.errors import ConfigError
from discern.models.architecture import Architecture
from discern.models.build import build_classifier
from discern.models.costs import count_activation_bytes
from discern.planning.planner import plan_training
from discern.planning.speed import Speed
from discern.runtime import choose_runtime
from pictures import COLOURS, draw_photo


@pytest.fixture
def decide(tmp_path):
    """Return the plan of a recipe for a table, with weights that are not looked at."""

    def plan(recipe, overrides, table):
        runtime = choose_runtime(device="cpu", precision="fp32")
        settings = load_settings(recipe, ["data.cache=off", "data.fit=squash", *overrides])
        return plan_training(settings, table, runtime, ArrayCache(tmp_path / "cache", limit_bytes=0))

    return plan


@pytest.fixture
def table_of(tmp_path):
    """Return a table of pictures of one size."""

    def draw(size):
        folder = tmp_path / str(size)
        for name, colour in COLOURS.items():
            (folder / name).mkdir(parents=True)
            for number in range(3):
                draw_photo(colour, number, size=size).save(folder / name / f"{number}.png")
        return split_table(load_table(folder), fractions=(1.0, 0.0, 0.0), seed=0)[0]

    return draw


@pytest.mark.parametrize(
    ("picture_size", "weights", "stem", "image_size"),
    [
        (32, "none", "small", 32),
        (32, "weights.pth", "imagenet", 96),
        (64, "weights.pth", "imagenet", 128),
        (100, "weights.pth", "imagenet", 192),
        (200, "weights.pth", "imagenet", 224),
        (224, "weights.pth", "imagenet", 288),
        (300, "none", "imagenet", 224),
    ],
)
def test_stem_and_size_suit_the_pictures(decide, table_of, picture_size, weights, stem, image_size):
    plan = decide("auto", [f"model.weights={weights}"], table_of(picture_size))
    assert plan.architecture.stem == stem
    assert plan.preprocess.image_size == image_size
    assert str(image_size) in plan.reasons["data.image_size"]


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("auto", ["data.image_size=224"]),
        ("auto", ["model.weights=none"]),
        ("transfer", ["data.image_size=auto"]),
        ("auto", ["model.backbone=timm:vit_tiny_patch16_224"]),
    ],
)
def test_pictures_are_not_enlarged_where_it_is_not_worth_its_time(decide, table_of, recipe, overrides):
    plan = decide(recipe, ["model.weights=weights.pth", *overrides], table_of(300))
    assert plan.preprocess.image_size == 224


@pytest.mark.parametrize(("budget", "image_size", "epochs"), [("120s", 224, 10), ("220s", 288, 10), ("90s", 224, 8)])
def test_a_budget_enlarges_pictures_where_it_has_time_for_all_epochs(
    decide, table_of, monkeypatch, budget, image_size, epochs
):
    speed = Speed(prediction_seconds=0.001, training_seconds={"fine-tune": 0.01})
    monkeypatch.setattr("discern.planning.planner.measure_speed", lambda *_: speed)
    table = table_of(300)
    many = table.take(np.tile(np.arange(len(table)), 900 // len(table)))
    plan = decide("auto", ["model.weights=weights.pth", "epochs=10", f"run.budget={budget}"], many)
    assert plan.preprocess.image_size == image_size
    assert str(image_size) in plan.reasons["data.image_size"]
    assert (plan.phases[-1].name, plan.phases[-1].epochs) == ("fine-tune", epochs)
    # An epoch is planned at the time that pictures of this size take.
    assert f"of {9 * (image_size / 224) ** 2:.1f} s in fine-tune" in plan.reasons["run.budget"]


def test_what_is_set_is_not_touched(decide, table_of):
    plan = decide("transfer", ["stem=imagenet", "augment=none"], table_of(32))
    assert plan.preprocess.image_size == 224
    assert plan.reasons == {}


def test_a_head_on_random_features_is_warned_of(decide, table_of, caplog):
    with caplog.at_level(logging.WARNING, logger="discern"):
        decide("transfer", ["model.weights=none"], table_of(32))
    assert "phase head trains the head alone on a backbone of random weights" in caplog.text


@pytest.mark.parametrize(
    ("weights", "per_class", "batch_size"),
    [
        ("w.pth", 3, 8),
        ("w.pth", 100, 16),
        ("w.pth", 1000, 32),
        ("w.pth", 4000, 64),
        ("none", 3, 16),
        ("none", 300, 32),
        ("none", 1000, 64),
        ("none", 9000, 64),
    ],
)
def test_batch_size_follows_the_number_of_pictures(decide, table_of, weights, per_class, batch_size):
    table = table_of(32)
    many = table.take(np.tile(np.arange(len(table)), per_class // 3))
    plan = decide("auto", [f"model.weights={weights}", "batch_size=auto"], many)
    assert plan.training.batch_size == batch_size
    assert f"{batch_size}, for {len(many)} training pictures" in plan.reasons["training.batch_size"]


def test_a_network_of_one_size_refuses_another(decide, table_of):
    overrides = ["model.backbone=timm:swin_tiny_patch4_window7_224", "data.image_size=128"]
    with pytest.raises(ConfigError, match=r"pictures of 224 pixels only; use 224 everywhere .* or a convolutional"):
        decide("auto", overrides, table_of(48))


@pytest.mark.parametrize(
    ("backbone", "picture_size", "image_size"),
    [("test_vit", 32, 96), ("test_vit", 300, 160), ("eva02_tiny_patch14_224", 32, 98)],
)
def test_a_transformer_gets_a_whole_number_of_patches(decide, table_of, backbone, picture_size, image_size):
    overrides = [f"model.backbone=timm:{backbone}", "model.weights=weights.pth"]
    plan = decide("auto", overrides, table_of(picture_size))
    assert plan.preprocess.image_size == image_size
    assert str(image_size) in plan.reasons["data.image_size"]


def test_batch_size_is_halved_until_it_fits_into_the_memory(decide, table_of, monkeypatch):
    overrides = [
        "model.weights=none",
        "model.backbone=resnet18-half",
        "stem=imagenet",
        "batch_size=auto",
        "data.image_size=64",
    ]
    classifier = build_classifier(Architecture(backbone="resnet18-half"), 3)
    picture_bytes = 2 * count_activation_bytes(classifier, 64)
    monkeypatch.setattr("discern.planning.sizes.compute_free_memory_bytes", lambda: 5 * picture_bytes / 0.6)
    plan = decide("auto", overrides, table_of(32))
    assert plan.training.batch_size == 4
    assert "of memory are free" in plan.reasons["training.batch_size"]
