"""The predictor: prepared once, and without a trace in the process that uses it."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import discern
from discern import allocation
from discern.data.reading.decode import decode_image
from discern.data.sources.inputs import load_inputs
from discern.engine import second_look
from discern.models import tracing
from discern.percent import percent
from discern.predictor.calibration import Calibration, compute_probabilities
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime
from html_checks import Page


@pytest.fixture
def predictor(trained_run):
    return discern.load(trained_run, device="cpu")


def test_the_network_is_prepared_once(predictor, photos, monkeypatch):
    trace, traced = tracing._Tracer.trace, []

    def count(self, root, *arguments):
        traced.append(root)
        return trace(self, root, *arguments)

    monkeypatch.setattr(tracing._Tracer, "trace", count)
    first = predictor.predict(photos / "blue")
    once = len(traced)
    assert once > 0
    assert predictor.predict(photos / "blue").equals(first)
    predictor.predict(photos / "blue", max_error=0.8)
    predictor.embed(photos / "blue")
    predictor.compute_outputs(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert len(traced) == once


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda predictor: pickle.loads(pickle.dumps(predictor))])
def test_one_that_has_answered_can_be_copied_and_pickled(make_copy, predictor, photos):
    answers = predictor.predict(photos / "blue")
    assert make_copy(predictor).predict(photos / "blue").equals(answers)


def test_other_augmentation_shares_the_prepared_network(predictor, photos):
    predictor.predict(photos / "blue")
    assert predictor.with_tta("flip")._outputs.forward is predictor._outputs.forward


def test_what_it_embeds_are_the_features_that_its_head_classifies(predictor, photos):
    table = load_inputs(photos / "red")
    features = predictor.embed(photos / "red")
    logits, same = predictor.predict_features(table)
    classifier = predictor.bundle.classifier
    assert features.shape == (12, classifier.backbone.num_features)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, same)
    with torch.inference_mode():
        # A run in bf16 rounds what the head computes.
        torch.testing.assert_close(classifier.head(torch.from_numpy(features)), logits, rtol=0.02, atol=0.05)
    np.testing.assert_allclose(
        predictor.bundle.calibration.apply(logits.double()).softmax(dim=1), predictor.predict_probabilities(table)
    )


def test_no_picture_gives_no_row(predictor, photos):
    readable = predictor.predict_readable(load_inputs(photos / "red").take(np.array([], dtype=np.int64)))
    assert readable.probabilities.shape == (0, 3)


def test_it_shows_what_it_is_in_a_line_and_in_a_notebook_as_a_table(predictor):
    assert repr(predictor) == "<Predictor: resnet18-half, 3 classes (blue, green, red), cpu>"
    page = Page(predictor._repr_html_())
    assert not page.problems
    assert {"3 classes", "blue, green, red", "32 px, squash", "recognised"} <= set(page.texts)
    scores = predictor.bundle.record.scores["test"]
    assert any(text.startswith(f"{percent(scores.accuracy.value)} (95 % interval") for text in page.texts)


def test_loading_and_predicting_change_nothing_in_the_process(trained_run, photos, monkeypatch):
    def fail():
        raise AssertionError("the allocator is the caller's own")

    monkeypatch.setattr(allocation, "keep_freed_memory", fail)
    monkeypatch.setattr(allocation, "prefer_huge_pages", fail)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        discern.load(trained_run, device="cpu").predict(photos / "red")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.benchmark


@pytest.fixture
def unsure(predictor):
    """A predictor whose answers are not clear."""
    bundle = replace(predictor.bundle, calibration=Calibration(temperature=8.0))
    return Predictor(bundle, predictor.runtime)


@pytest.fixture
def large_photos(tmp_path):
    """Noisy JPEGs that are decoded at half their size, and whose answers are not clear."""
    rng = np.random.default_rng(0)
    for number in range(8):
        colour = rng.integers(0, 256, 3)
        picture = np.clip(colour + rng.normal(0, 90, (160, 200, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{number}.jpg", quality=60)
    return tmp_path


def compute_exactly(predictor, folder):
    """Return the probabilities in fp32 of pictures that are decoded whole."""
    exact = Predictor(predictor.bundle, choose_runtime(device="cpu", precision="fp32", acceleration="off"))
    images = [predictor.bundle.preprocess.fit_image(decode_image(path)) for path in sorted(folder.iterdir())]
    return compute_probabilities(exact.compute_outputs(torch.stack(images)).logits, predictor.bundle.calibration)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_answers_that_are_not_clear_are_those_of_whole_pictures_in_fp32(unsure, large_photos, monkeypatch, precision):
    def build():
        return Predictor(unsure.bundle, replace(unsure.runtime, precision=precision))

    exact = compute_exactly(unsure, large_photos)
    unclear = exact.max(axis=1) < 0.99
    assert unclear.any()
    found = build().predict_inputs(large_photos)
    np.testing.assert_allclose(found[unclear], exact[unclear], atol=1e-5)
    assert np.abs(found - exact).max() < 0.01
    monkeypatch.setattr(second_look, "CLEAR_PROBABILITY", 0.0)
    assert np.abs(build().predict_inputs(large_photos)[unclear] - exact[unclear]).max() > 1e-3


def test_outputs_in_bf16_that_are_not_clear_are_computed_in_fp32(unsure):
    images = torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    rough = Predictor(unsure.bundle, replace(unsure.runtime, precision="bf16"))
    exact = Predictor(unsure.bundle, replace(unsure.runtime, precision="fp32"))
    calibration = unsure.bundle.calibration
    ours, theirs = (compute_probabilities(each.compute_outputs(images).logits, calibration) for each in (rough, exact))
    unclear = theirs.max(axis=1) < 0.99
    assert unclear.any()
    np.testing.assert_allclose(ours[unclear], theirs[unclear], atol=1e-5)


def test_few_pictures_are_looked_at_twice(predictor, photos):
    table = load_inputs([photos / "red", np.zeros((400, 400, 3), np.uint8)])
    dataset = predictor._build_dataset(table)
    rows = np.arange(len(table))
    assert len(second_look.find_inexact(rows, dataset, replace(predictor.runtime, precision="fp32"))) == 0
    assert len(second_look.find_inexact(rows, dataset, replace(predictor.runtime, precision="bf16"))) == len(rows)
    np.testing.assert_array_equal(second_look.find_unclear(np.array([[1.0, 0], [0.6, 0.4], [np.nan, np.nan]])), [1, 2])
