"""README.md of a bundle: read by the client of the Hugging Face Hub, and true to the bundle."""

import json
import shutil

import pytest
from huggingface_hub import ModelCard, ModelCardData

import discern
from discern.reports.bundle_card import write_bundle_card
from saved_runs import HOSTILE_NAMES


@pytest.fixture
def write_card(trained_run, tmp_path):
    """Return a function that changes the description of a bundle and returns the card of that."""
    folder = shutil.copytree(trained_run / "bundle", tmp_path / "bundle")

    def change_and_write(change=lambda description: None):
        path = folder / "bundle.json"
        description = json.loads(path.read_text(encoding="utf-8"))
        change(description)
        path.write_text(json.dumps(description), encoding="utf-8")
        return ModelCard.load(write_bundle_card(folder))

    return change_and_write


def test_training_writes_a_card_with_the_metrics_and_their_intervals(trained_run):
    card = ModelCard.load(trained_run / "bundle" / "README.md")
    test = discern.Run(trained_run).metrics["test"]
    assert (card.data.library_name, card.data.pipeline_tag) == ("discern", "image-classification")
    results = {one.metric_type: one for one in card.data.eval_results}
    assert results["accuracy"].metric_value == pytest.approx(test.accuracy.value, abs=1e-6)
    assert results["f1"].metric_value == pytest.approx(test.macro_f1.value, abs=1e-6)
    assert {one.dataset_split for one in results.values()} == {"test"}
    assert results["accuracy"].metric_name == "accuracy (95 % interval 54.1 % to 100.0 %)"
    assert "Sorts pictures into 3 classes: blue, green, red." in card.text
    assert "36 labelled pictures" in card.text
    assert card.data.license is None  # it started from random weights
    # The client reads its own form of it back.
    assert ModelCardData(**card.data.to_dict(), ignore_metadata_errors=False).to_yaml() == card.data.to_yaml()


def test_the_same_bundle_has_the_same_card(trained_run, write_card):
    assert str(write_card()) == str(write_card())
    assert str(write_card()) == (trained_run / "bundle" / "README.md").read_text(encoding="utf-8")


def test_what_a_head_reads_beside_the_last_map_is_said(write_card):
    read = "reads not only the last feature map, but also mean and deviation of the maps of the upper stages"
    assert read not in write_card().text
    assert f"\n\nThe head {read}.\n\n" in write_card(lambda card: card["architecture"].update(features="stages")).text
    assert f"Each head {read}." in write_card(lambda card: card["architecture"].update(members=[0, 0])).text
    more = f"{read}, and the covariances between the channels of one of them."
    assert more in write_card(lambda card: card["architecture"].update(features="covariances")).text


@pytest.mark.parametrize(
    ("licence", "expected"),
    [("bsd-3-clause", ("bsd-3-clause", None)), ("dinov3-license", ("other", "dinov3-license")), ("", (None, None))],
)
def test_the_licence_of_the_weights_has_the_name_that_the_hub_knows(licence, expected, write_card):
    def start_from_weights(description):
        weights = {"source": "https://example.org/weights.pth", "note": "a note", "licence": licence}
        description["record"]["environment"]["weights"] = weights

    card = write_card(start_from_weights)
    assert (card.data.license, card.data.to_dict().get("license_name")) == expected
    assert "a note (https://example.org/weights.pth)." in card.text


def test_names_of_classes_are_text_and_never_markup(write_card):
    names = list(HOSTILE_NAMES)

    def rename(description):
        description["class_names"] = names
        description["record"]["plan"]["weights"] = "none"

    text = write_card(rename).text
    assert r"\<script\>alert(1)\</script\>" in text
    assert "<script>" not in text
    assert r"\{\{ 7 \* 7 \}\}" in text


def test_a_bundle_that_was_not_made_by_training_says_what_is_not_known(write_card):
    card = write_card(lambda description: description.update(record=None))
    assert card.data.eval_results is None
    assert "It was not evaluated." in card.text
    assert "Not known: the bundle has no record of its training." in card.text
