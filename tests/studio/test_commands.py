"""Which command a wish becomes, and what is no wish."""

import pytest
from pydantic import TypeAdapter, ValidationError

from discern.serving.refusals import Refusal
from discern.studio.commands import Wish
from discern.studio.places import Places

WISHES: TypeAdapter = TypeAdapter(Wish)


@pytest.fixture
def build(root):
    places = Places(root.resolve())
    (root / "net.safetensors").touch()
    (root / "a link").symlink_to(root.parent)
    (root.parent / "net.safetensors").touch()
    (root / "runs" / "birds").mkdir(parents=True)
    return lambda **wish: WISHES.validate_python(wish).build(places).describe()


def test_each_wish_is_a_command_as_one_types_it(build):
    assert build(command="train", source="photos") == "discern train photos --out runs/photos"
    assert build(command="resume", run="runs/birds") == "discern train --resume --out runs/birds"
    assert build(command="audit", source="photos", quick=True) == "discern audit photos --quick --out runs/photos-audit"
    assert build(command="serve", run="runs/birds") == "discern serve runs/birds --port 0"
    assert build(command="review", run="runs/birds") == "discern review runs/birds --port 0"
    assert build(command="report", run="runs/birds") == "discern report runs/birds"
    assert build(command="export", run="runs/birds", precision="int8") == (
        "discern export runs/birds --format onnx --precision int8"
    )
    assert build(command="diff", first="runs/birds", second="photos") == (
        "discern diff runs/birds photos --out comparisons/birds-and-photos"
    )
    assert build(command="label", source="heap", classes="a, b", goal="2% wrong") == (
        "discern label heap --classes 'a, b' --goal '2% wrong' --out labels/heap --port 0"
    )


def test_a_training_has_all_that_was_chosen_and_a_new_folder(build):
    text = build(
        command="train",
        source="photos",
        recipe="transfer",
        budget="5m",
        weights="net.safetensors",
        backbone="resnet18",
        name="birds",
        settings="epochs=5 'training.phases.*.epochs=3'",
    )
    assert text == (
        "discern train photos model.weights=net.safetensors model.backbone=resnet18 epochs=5 "
        "'training.phases.*.epochs=3' --out runs/birds-2 --recipe transfer --budget 5m"
    )


@pytest.mark.parametrize(
    "settings",
    [
        "--out=/tmp/x",
        "epochs",
        "model.weights=../net.safetensors",
        "model.weights=/etc/passwd",
        "model.weights=~/net.safetensors",
        r"model.weights='\"\u002fetc\u002fpasswd\"'",
        'data.fixes=["net.safetensors","../../x.csv"]',
        "data.image_root=..",
        "'data.image_root=a link'",
        "'unclosed",
    ],
)
def test_settings_name_no_file_elsewhere_and_are_no_options(build, settings):
    with pytest.raises(Refusal):
        build(command="train", source="photos", settings=settings)


def test_a_very_long_value_names_no_file(build):
    assert build(command="train", source="photos", settings=f"data.label_column={'x' * 3000}")


@pytest.mark.parametrize(
    "wish",
    [
        {"source": "../secret"},
        {"source": "photos", "weights": "../net.safetensors"},
        {"source": "photos", "recipe": "../recipe.toml"},
        {"source": "photos", "fixes": ["/etc/passwd"]},
        {"source": "photos", "name": "../../elsewhere"},
    ],
)
def test_no_part_of_a_wish_leads_out_of_the_folder(build, wish):
    with pytest.raises(Refusal):
        build(command="train", **wish)


@pytest.mark.parametrize(
    "wish",
    [
        {"command": "push", "run": "runs/birds"},
        {"command": "train"},
        {"command": "serve", "run": "a", "host": "0.0.0.0"},
    ],
)
def test_other_commands_and_options_are_none(wish):
    with pytest.raises(ValidationError):
        WISHES.validate_python(wish)
