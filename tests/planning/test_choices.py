import logging
from functools import partial

import numpy as np
import pytest

from discern.config.load import load_settings
from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.errors import ConfigError
from discern.models.build import build_classifier
from discern.models.costs import count_activation_bytes
from discern.planning.choices import choose_architecture, resolve_choices
from discern.runtime import resolve_runtime
from pictures import COLOURS, draw_photo


@pytest.fixture
def resolve():
    return partial(resolve_choices, runtime=resolve_runtime(device="cpu", precision="fp32"))


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
        (300, "weights.pth", "imagenet", 224),
        (300, "none", "imagenet", 224),
    ],
)
def test_stem_and_size_suit_the_pictures(resolve, table_of, picture_size, weights, stem, image_size):
    settings, reasons = resolve(load_settings("auto", [f"model.weights={weights}"]), table_of(picture_size))
    assert settings.model.stem == stem
    assert settings.data.image_size == image_size
    assert str(image_size) in reasons["data.image_size"]


def test_what_is_set_is_not_touched(resolve, table_of):
    settings, reasons = resolve(load_settings("transfer", ["stem=imagenet"]), table_of(32))
    assert settings.data.image_size == 224
    assert reasons == {}


def test_batchnorm_is_frozen_where_it_is_pretrained_and_batches_are_small(resolve, table_of):
    table = table_of(32)
    for overrides, frozen in (
        (["model.weights=w.pth"], True),
        (["model.weights=w.pth", "batch_size=64"], False),
        (["model.weights=none"], False),
    ):
        settings, reasons = resolve(load_settings("auto", overrides), table)
        assert {phase.frozen_batchnorm for phase in settings.training.phases} == {frozen}
        assert reasons["frozen_batchnorm"]


def test_a_head_on_random_features_is_warned_of(resolve, table_of, caplog):
    with caplog.at_level(logging.WARNING, logger="discern"):
        resolve(load_settings("transfer", ["model.weights=none"]), table_of(32))
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
def test_batch_size_follows_the_number_of_pictures(resolve, table_of, weights, per_class, batch_size):
    table = table_of(32)
    many = table.take(np.tile(np.arange(len(table)), per_class // 3))
    settings, reasons = resolve(load_settings("auto", [f"model.weights={weights}", "batch_size=auto"]), many)
    assert settings.training.batch_size == batch_size
    assert f"{batch_size}, for {len(many)} training pictures" in reasons["training.batch_size"]


def test_a_network_of_one_size_refuses_another(resolve, table_of):
    settings = load_settings("auto", ["model.backbone=timm:vit_tiny_patch16_224", "data.image_size=128"])
    with pytest.raises(ConfigError, match="takes pictures of 224 pixels only; use 224 or a convolutional backbone"):
        resolve(settings, table_of(48))


def test_batch_size_is_halved_until_it_fits_into_the_memory(resolve, table_of, monkeypatch):
    overrides = [
        "model.weights=none",
        "model.backbone=resnet18-half",
        "stem=imagenet",
        "batch_size=auto",
        "data.image_size=64",
    ]
    settings = load_settings("auto", overrides)
    picture_bytes = 2 * count_activation_bytes(build_classifier(choose_architecture(settings.model), 2), 64)
    monkeypatch.setattr("discern.planning.choices.compute_free_memory_bytes", lambda: 5 * picture_bytes / 0.6)
    settled, reasons = resolve(settings, table_of(32))
    assert settled.training.batch_size == 4
    assert "of memory are free" in reasons["training.batch_size"]
