import logging

import pytest

from discern.config.load import load_settings
from discern.data.sources import load_table
from discern.data.split import split_table
from discern.workflows.choices import resolve_choices
from pictures import COLOURS, draw_photo


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
def test_stem_and_size_suit_the_pictures(table_of, picture_size, weights, stem, image_size):
    settings, reasons = resolve_choices(load_settings("auto", [f"model.weights={weights}"]), table_of(picture_size))
    assert settings.model.stem == stem
    assert settings.data.image_size == image_size
    assert str(image_size) in reasons["data.image_size"]


def test_what_is_set_is_not_touched(table_of):
    settings, reasons = resolve_choices(load_settings("transfer", ["stem=imagenet"]), table_of(32))
    assert settings.data.image_size == 224
    assert reasons == {}


def test_batchnorm_is_frozen_where_it_is_pretrained_and_batches_are_small(table_of):
    table = table_of(32)
    for overrides, frozen in (
        (["model.weights=w.pth"], True),
        (["model.weights=w.pth", "batch_size=64"], False),
        (["model.weights=none"], False),
    ):
        settings, reasons = resolve_choices(load_settings("auto", overrides), table)
        assert {stage.frozen_batchnorm for stage in settings.training.stages} == {frozen}
        assert reasons["frozen_batchnorm"]


def test_a_head_on_random_features_is_warned_of(table_of, caplog):
    with caplog.at_level(logging.WARNING, logger="discern"):
        resolve_choices(load_settings("transfer", ["model.weights=none"]), table_of(32))
    assert "stage head trains the head alone on a backbone of random weights" in caplog.text
