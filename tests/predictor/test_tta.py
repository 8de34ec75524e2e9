"""Answers that are means over several views of a picture."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import discern
from discern.data.reading.decode import decode_image
from discern.engine.views import build_views
from discern.errors import BundleError, ConfigError
from discern.models import tracing
from discern.predictor.bundle import load_bundle, save_bundle
from discern.predictor.calibration import Calibration, compute_probabilities
from discern.predictor.manifest import save_manifest
from discern.predictor.predictor import Predictor
from discern.predictor.tta import use_tta
from discern.runtime import choose_runtime
from pictures import COLOURS, draw_photo


@pytest.fixture
def predictor(trained_run):
    """In fp32, with confidences that are not nearly 1."""
    bundle = replace(load_bundle(trained_run), calibration=Calibration(temperature=4.0))
    return Predictor(bundle, choose_runtime(device="cpu", precision="fp32", threads=1))


@pytest.fixture
def images():
    """Pictures (N, 32, 32, 3) of the side that the network sees, so that none is resized."""
    drawn = [draw_photo(colour, seed, size=32) for seed, colour in enumerate([*COLOURS.values()] * 3)]
    return np.stack([np.asarray(image) for image in drawn])


def find_logits(predictor, images):
    return predictor.compute_outputs(torch.from_numpy(images).permute(0, 3, 1, 2)).logits


def test_flip_is_the_mean_of_the_logits_of_a_picture_and_of_its_mirror_image(predictor, images):
    both = torch.stack([find_logits(predictor, each) for each in (images, images[:, :, ::-1].copy())])
    expected = compute_probabilities(both.mean(dim=0), predictor.bundle.calibration)
    found = predictor.with_tta("flip").predict_inputs(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - predictor.predict_inputs(images)).max() > 1e-4


def test_five_is_the_mean_of_the_logits_of_five_views(predictor, images):
    views = build_views(torch.from_numpy(images).permute(0, 3, 1, 2), "five")
    logits = torch.stack([predictor.compute_outputs(view).logits for view in views]).mean(dim=0)
    expected = compute_probabilities(logits, predictor.bundle.calibration)
    np.testing.assert_allclose(predictor.with_tta("five").predict_inputs(images), expected, atol=1e-6)
    served = predictor.with_tta("five").compute_outputs(views[0])
    torch.testing.assert_close(served.logits, logits)
    torch.testing.assert_close(served.features, predictor.compute_outputs(views[0]).features)


def test_mirrored_pictures_get_the_same_answers(predictor, images):
    flipping = predictor.with_tta("flip")
    mirrored = images[:, :, ::-1].copy()
    np.testing.assert_allclose(flipping.predict_inputs(images), flipping.predict_inputs(mirrored), atol=1e-6)
    assert np.abs(predictor.predict_inputs(images) - predictor.predict_inputs(mirrored)).max() > 1e-4


def test_familiarity_and_features_are_those_of_the_picture_itself(predictor, photos):
    plain, viewed = predictor.predict(photos / "red"), predictor.predict(photos / "red", tta="five")
    assert (plain["confidence"] != viewed["confidence"]).any()
    np.testing.assert_allclose(viewed["familiarity"], plain["familiarity"])
    np.testing.assert_allclose(predictor.with_tta("flip").embed(photos / "red"), predictor.embed(photos / "red"))


def test_unclear_answers_are_means_over_views_of_whole_pictures(predictor, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(6):
        picture = np.clip(rng.integers(0, 256, 3) + rng.normal(0, 90, (160, 200, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{number}.jpg", quality=60)
    whole = [predictor.bundle.preprocess.fit_image(decode_image(path)) for path in sorted(tmp_path.iterdir())]
    views = build_views(torch.stack(whole), "flip")
    logits = torch.stack([predictor.compute_outputs(view).logits for view in views]).mean(dim=0)
    exact = compute_probabilities(logits, predictor.bundle.calibration)
    unclear = exact.max(axis=1) < 0.99
    assert unclear.any()
    for precision in ("fp32", "bf16"):
        runtime = replace(predictor.runtime, precision=precision)
        found = Predictor(replace(predictor.bundle, tta="flip"), runtime).predict_inputs(tmp_path)
        np.testing.assert_allclose(found[unclear], exact[unclear], atol=1e-5)


def test_a_bundle_keeps_its_views(predictor, images, tmp_path):
    save_bundle(replace(predictor.bundle, tta="flip"), tmp_path)
    loaded = discern.load(tmp_path, device="cpu")
    assert loaded.bundle.tta == "flip"
    expected = predictor.with_tta("flip").predict_inputs(images)
    np.testing.assert_allclose(loaded.predict_inputs(images), expected, atol=1e-5)
    assert "flip: answers are means over 2 views" in loaded._repr_html_()
    description = tmp_path / "bundle.json"
    description.write_text(description.read_text().replace('"tta": "flip"', '"tta": "mirror"'))
    assert json.loads(description.read_text())["tta"] == "mirror"
    save_manifest(tmp_path, [path.name for path in tmp_path.iterdir() if path.name != "manifest.json"])
    with pytest.raises(BundleError, match=r"bundle.json is not understood .* \(tta: Input should be 'none', 'flip'"):
        load_bundle(tmp_path)


def test_other_views_share_the_prepared_network(predictor, images, monkeypatch):
    trace, traced = tracing._Tracer.trace, []
    monkeypatch.setattr(tracing._Tracer, "trace", lambda self, *rest: traced.append(1) or trace(self, *rest))
    predictor.predict(images[0], tta="flip")
    once = len(traced)
    predictor.predict(images[0], tta="five")
    predictor.predict(images[0])
    assert len(traced) == once > 0
    assert predictor.bundle.tta == "none"


def test_evaluating_takes_the_views_too(predictor, photos):
    losses = {tta: predictor.evaluate(photos, tta=tta).loss for tta in (None, "none", "flip")}
    assert losses[None] == losses["none"] != losses["flip"]


def test_it_is_said_that_the_promises_are_of_other_views(predictor, caplog):
    with caplog.at_level(logging.WARNING, "discern"):
        use_tta(predictor.bundle, None)
        use_tta(predictor.bundle, "none")
        use_tta(replace(predictor.bundle, calibration=Calibration(), evidence=None), "five")
        assert not caplog.text
        assert use_tta(predictor.bundle, "flip").tta == "flip"
    assert "answers with tta=flip: the calibration of confidences, and what is promised" in caplog.text
    assert "are those of tta=none, with which the classifier was trained" in caplog.text


@pytest.mark.parametrize(
    ("tta", "message"),
    [
        ("mirror", "tta is 'mirror'; expected none, flip, five$"),
        ("auto", "expected none, flip, five; auto is for training, which chooses one of these$"),
    ],
)
def test_unknown_views_are_refused(predictor, images, tta, message):
    with pytest.raises(ConfigError, match=message):
        predictor.predict(images[0], tta=tta)
