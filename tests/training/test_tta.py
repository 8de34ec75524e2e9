"""The views of a finished classifier: computed on validation as for answers, and chosen there where that is open."""

import json
import logging

import numpy as np
import pytest
import torch
from torch import nn

import discern
from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.errors import ConfigError
from discern.planning.plan import load_plan
from discern.training import tta
from discern.training.tta import choose_tta
from fitting import SMALL, build_fit, build_plan
from pictures import QUICK, draw_photos

ALL = ("none", "flip", "five")


class LeftHalf(nn.Module):
    """Sees the colours of the left half of a picture alone, so that its mirror image says as much again."""

    def forward(self, images):
        red, green, blue = images[..., : images.shape[-1] // 2].mean(dim=(2, 3)).unbind(dim=1)
        return 4 * torch.stack([blue, green, red], dim=1)


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    photos = draw_photos(tmp_path_factory.mktemp("many"), per_class=40)
    return build_fit(split_table(load_table(photos), fractions=(0.5, 0.5, 0.0), seed=0)[0], "table", SMALL)


@pytest.fixture
def give_logits(fit, monkeypatch):
    """Return a function that chooses among given logits by the name of their views."""

    def choose(**logits):
        monkeypatch.setattr(tta, "_compute_logits", lambda plain, classifier, name, *rest: logits[name])
        return choose_tta(logits["none"], nn.Identity(), tuple(logits), fit.data, fit.runtime)

    return choose


def test_views_are_chosen_that_say_more_than_the_picture(fit, caplog):
    from discern.engine.forward import predict_logits, prepare_images

    batches = fit.data.build_evaluation_loader(fit.data.validation, decodes_whole=True).batches()
    plain, _ = predict_logits(LeftHalf(), batches, prepare_images(fit.data.preprocess, fit.runtime), fit.runtime)
    with caplog.at_level(logging.INFO, "discern"):
        viewed = choose_tta(plain, LeftHalf(), ALL, fit.data, fit.runtime)
    assert viewed.tta == "flip"
    assert viewed.logits.shape == plain.shape
    targets = torch.from_numpy(fit.data.validation.targets())
    assert (viewed.logits.argmax(dim=1) == targets).sum() > (plain.argmax(dim=1) == targets).sum()
    assert f"training.tta=auto: flip; shown to be better by {len(targets)} validation pictures" in caplog.text


def test_what_a_temperature_does_as_well_is_no_reason(give_logits, fit, caplog):
    """Logits that are merely less sure, and others that are better for chance alone."""
    targets = fit.data.validation.targets()
    rng = np.random.default_rng(0)
    plain = torch.from_numpy(rng.normal(size=(len(targets), 3)) + 2 * np.eye(3)[targets])
    with caplog.at_level(logging.INFO, "discern"):
        viewed = give_logits(none=4 * plain, flip=plain, five=4 * plain + 0.01 * torch.randn(plain.shape))
    assert viewed.tta == "none"
    assert torch.equal(viewed.logits, 4 * plain)
    assert "training.tta=auto: none; flip and five are not shown to be better by 60 valid" in caplog.text


def test_more_views_must_be_better_than_fewer(give_logits, fit):
    targets = fit.data.validation.targets()
    noise = np.random.default_rng(0).normal(size=(len(targets), 3))
    plain, better, best = (torch.from_numpy(share * noise + 2 * np.eye(3)[targets]) for share in (2, 1, 0.5))
    assert give_logits(none=plain, flip=better, five=better).tta == "flip"
    assert give_logits(none=plain, flip=better, five=best).tta == "five"


def test_without_validation_pictures_nothing_is_chosen(fit, caplog):
    with caplog.at_level(logging.INFO, "discern"):
        assert choose_tta(None, nn.Identity(), ALL, fit.data, fit.runtime) == ("none", None)
        assert choose_tta(None, nn.Identity(), ("flip",), fit.data, fit.runtime) == ("flip", None)
    assert caplog.messages == ["training.tta=auto: none, since there is no validation split to choose on"]


def test_a_plan_has_views_or_those_to_choose_from(table):
    assert build_plan(table, "table", SMALL).training.tta_candidates == ("none",)
    assert build_plan(table, "table", [*SMALL, "tta=five"]).training.tta_candidates == ("five",)
    plan = build_plan(table, "table", [*SMALL, "tta=auto"])
    assert plan.training.tta_candidates == ALL
    assert plan.reasons["training.tta"].startswith("chosen among none, flip, five on validation")
    with pytest.raises(ConfigError, match=r"training\.tta"):
        build_plan(table, "table", [*SMALL, "tta=mirror"])


@pytest.mark.parametrize("asked", ["flip", "auto"])
def test_what_a_run_records_of_its_pictures_is_what_its_classifier_answers(photos, tmp_path, monkeypatch, asked):
    # Whatever is better, so that two runs are enough.
    monkeypatch.setattr(tta, "is_better", lambda ours, theirs, targets: True)
    quiet = {"report": False, "plots": False, "learning_rate": 2e-3, "epochs": 4}
    run = discern.train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, f"tta={asked}"], **quiet)
    classifier = run.load(device="cpu")
    assert classifier.bundle.tta == ("flip" if asked == "flip" else "five")
    assert load_plan(run.folder.plan).training.tta_candidates == (("flip",) if asked == "flip" else ALL)
    epochs = len(run.history)
    assert classifier.bundle.evidence.num_choices == (epochs if asked == "flip" else 3 * epochs)
    for split in ("validation", "test"):
        rows = run.predictions.frame.query("split == @split")
        answers = classifier.predict(rows["path"].tolist(), probabilities=True)
        found = answers[[f"probability_{name}" for name in classifier.class_names]].to_numpy()
        np.testing.assert_allclose(found, run.predictions.probabilities[rows.index], atol=1e-5)
        if split == "validation":
            np.testing.assert_allclose(answers["confidence"], classifier.bundle.evidence.confidences, atol=1e-5)
            plain = classifier.predict(rows["path"].tolist(), tta="none")
            assert np.abs(plain["confidence"] - answers["confidence"]).max() > 1e-4
    assert json.loads((run.folder.bundle / "bundle.json").read_text())["tta"] == classifier.bundle.tta
