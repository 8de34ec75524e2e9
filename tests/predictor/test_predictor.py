"""The predictor: prepared once, and without a trace in the process that uses it."""

import numpy as np
import pytest
import torch

import discern
from discern import allocation
from discern.data.sources.inputs import load_inputs
from discern.models import tracing


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
    predictor.predict(photos / "blue", max_error=0.5)
    predictor.embed(photos / "blue")
    predictor.compute_outputs(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert len(traced) == once


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


def test_it_shows_what_it_is_in_a_line(predictor):
    assert repr(predictor) == "<Predictor: resnet18-half, 3 classes (blue, green, red), cpu>"


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
