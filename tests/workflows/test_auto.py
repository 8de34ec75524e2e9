"""The default recipe: a floor, the better of two, a plan that ends in time, and reasons for all of it."""

import html
import json

import pytest
from safetensors.torch import save_file

from discern.errors import ConfigError
from discern.models.backbone import build_backbone
from discern.predictor.bundle import load_bundle
from discern.run_folder import RunFolder
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import QUICK, WITH_PAGE

SMALL = [text for text in QUICK if not text.startswith(("model.weights", "training.phases"))]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights that stand for pretrained ones."""
    path = tmp_path_factory.mktemp("weights") / "resnet18-half.safetensors"
    save_file(
        {name: tensor.contiguous() for name, tensor in build_backbone("resnet18-half").network.state_dict().items()},
        path,
    )
    return path


def test_the_better_of_probe_and_fine_tuning_ships_with_the_difference(photos, weights, tmp_path):
    run = train(photos, out=tmp_path / "run", overrides=[*SMALL, *WITH_PAGE, f"model.weights={weights}", "epochs=2"])
    history = run.history
    assert list(history["phase"]) == ["probe", "fine-tune", "fine-tune"]
    assert run.metrics["validation"].accuracy.value == pytest.approx(history["validation_accuracy"].max(), abs=1e-5)
    record = json.loads((run.folder.bundle / "bundle.json").read_text())["record"]
    outcome, kept = record["outcome"], record["best_epoch"]
    assert "fine-tune over probe: " in outcome or "the frozen network with the head of phase probe" in outcome
    assert "learning_rate" in " ".join(run.plan.reasons)
    page = run.folder.report.read_text(encoding="utf-8")
    assert outcome in html.unescape(page)
    assert f"Epoch {kept} of 3 was kept" in page
    assert run.plan.reasons["fine-tune.learning_rate"] in page


def test_from_scratch_there_is_no_floor(photos, tmp_path):
    run = train(photos, out=tmp_path / "run", overrides=[*SMALL, "model.weights=none", "epochs=1"])
    assert list(run.history["phase"]) == ["fine-tune"]
    assert load_bundle(run.folder.root).record.outcome is None


def test_with_a_budget_the_plan_is_told_and_the_run_complete(photos, weights, tmp_path):
    overrides = [*SMALL, f"model.weights={weights}", "run.budget=40s", "data.audit=off"]
    run = train(photos, out=tmp_path / "run", overrides=overrides)
    assert "of 40 s" in run.plan.reasons["run.budget"]
    assert (run.folder.bundle / "bundle.json").is_file()
    assert run.metrics["test"].count > 0


def test_without_time_the_probe_of_a_sample_ships(photos, weights, tmp_path):
    overrides = [*SMALL, f"model.weights={weights}", "run.budget=1s", "data.audit=off"]
    run = train(photos, out=tmp_path / "run", overrides=overrides)
    assert run.plan.training.max_images == 6
    assert list(run.history["phase"]) == ["probe"]
    assert "it cannot be done in less" in run.plan.reasons["run.budget"]
    assert run.load().predict(next(photos.glob("*/*.png")))["label"].iloc[0] in run.load().class_names


@pytest.mark.parametrize(("flops", "head_epochs"), [(2e10, 1), (1e3, 3)])
def test_an_interrupted_run_keeps_its_plan_and_what_it_has_spent(
    photos, weights, tmp_path, monkeypatch, flops, head_epochs
):
    monkeypatch.setattr("discern.planning.phases._SOLVER_FLOPS", flops)
    overrides = [*SMALL, f"model.weights={weights}", "run.budget=5m", "epochs=3", "data.audit=off"]

    def interrupt(self, rows, *, is_best):
        if len(rows) == head_epochs + 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("discern.training.listeners.LogLines.on_epoch_end", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(photos, out=tmp_path / "run", overrides=overrides)
    plan = RunFolder(tmp_path / "run").plan.read_bytes()
    run = resume(tmp_path / "run", photos, recipe="auto", overrides=overrides)
    assert len(run.history) == head_epochs + 3
    assert run.folder.plan.read_bytes() == plan
    assert "run.budget" in run.plan.reasons


def test_a_budget_that_is_no_duration_is_reported(photos, tmp_path):

    with pytest.raises(ConfigError, match=r"run\.budget: 'soon' is not a duration; write 30s, 10m, 2h or 1h30m"):
        train(photos, out=tmp_path / "run", overrides=["run.budget=soon"])
