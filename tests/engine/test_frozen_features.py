"""Features of a network as it comes: computed once for the probe that compares starting points and for training."""

import re

import pytest
import torch
from safetensors.torch import save_file

from discern.models.backbone import build_backbone
from discern.workflows.train import train
from pictures import draw_photo

BACKBONE = "resnet18-half"
SMALL = [f"model.backbone={BACKBONE}", "data.image_size=32", "batch_size=8", "epochs=1", "run.threads=1"]


@pytest.fixture
def wide(tmp_path):
    """Pictures twice as wide as high, so that cropping and squashing are compared; two classes, split by the user."""
    for split, count in (("train", 9), ("validation", 4)):
        for name, colour in {"red": (200, 50, 40), "blue": (40, 60, 200)}.items():
            folder = tmp_path / "wide" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture = draw_photo(colour, 100 * len(name) + 50 * len(split) + number, size=48)
                picture.resize((96, 48)).save(folder / f"{number}.png")
    return tmp_path / "wide"


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    state = build_backbone(BACKBONE).network.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def count_features(text, count):
    """Return how many times the features of so many pictures were computed, and how many times found in the cache."""
    computed = re.findall(rf"features of {count} pictures: .*computed in", text)
    return len(computed), text.count(f"features of {count} pictures are in the cache")


def test_the_features_of_the_starting_point_are_computed_once_a_way_of_fitting(wide, weights, tmp_path, caplog):
    with caplog.at_level("DEBUG", logger="discern"):
        train(wide, out=tmp_path / "run", overrides=[*SMALL, f"model.weights={weights}"])
    assert caplog.text.count("starting point: resnet18-half weights.safetensors") == 1
    # Squashed and cropped for the comparison; the first phase finds those of the better one.
    assert count_features(caplog.text, 18) == (2, 1)
    assert count_features(caplog.text, 8) == (1, 0)


def test_an_audit_computes_features_under_the_same_key(wide, weights, tmp_path, caplog):
    overrides = [*SMALL, f"model.weights={weights}", "data.fit=squash", "model.features=last", "data.audit=full"]
    with caplog.at_level("DEBUG", logger="discern"):
        train(wide / "train", out=tmp_path / "run", overrides=[*overrides, "data.split=[1.0, 0.0, 0.0]"])
    assert count_features(caplog.text, 18) == (1, 1)
