"""MLflow with an SQLite store: what it has of a run, and its model, which answers as `predict` does."""

from pathlib import Path

import pandas as pd
import pytest

import discern
from discern.environment import load_environment
from discern.errors import ConfigError
from discern.planning.plan import load_plan
from discern.run_folder import RunFolder
from discern.tracking.mlflow_tracker import MlflowTracker

mlflow = pytest.importorskip("mlflow")

pytestmark = [
    # Both are said within MLflow when it is first used: by its SQL store, and by the types of its own answers.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*type hint .*is inferred as AnyType:UserWarning"),
]


@pytest.fixture
def client(mlflow_store: str) -> "mlflow.MlflowClient":
    return mlflow.MlflowClient(mlflow_store)


def keep(folder: RunFolder, rows=(), *, is_complete: bool = True) -> None:
    tracker = MlflowTracker()
    tracker.check()
    tracker.start(folder)
    for row in rows:
        tracker.send_epoch(row)
    tracker.finish(folder, is_complete=is_complete)


def find_run(client: "mlflow.MlflowClient", name: str, experiment: str = "0"):
    (found,) = client.search_runs([experiment], f"attributes.run_name = '{name}'")
    return found


def test_a_run_is_kept_with_its_plan_epochs_results_report_and_classifier(birds, rows, photos, client) -> None:
    run = discern.Run(birds.root)
    keep(birds, rows)
    kept = find_run(client, "birds")
    assert kept.info.status == "FINISHED"
    assert kept.data.params["training.batch_size"] == "8"
    assert kept.data.params["phases.all.epochs"] == "8"
    assert kept.data.params["seed"] == str(load_plan(birds.plan).seed)
    assert kept.data.tags["discern.data_fingerprint"] == load_environment(birds.environment).data.fingerprint

    curve = client.get_metric_history(kept.info.run_id, "loss/validation")
    assert [(point.step, point.value) for point in curve] == [(row.epoch, row.validation_loss) for row in rows]
    names = ("test/accuracy", "test/accuracy_low", "test/accuracy_high")
    assert [kept.data.metrics[name] for name in names] == pytest.approx(list(run.metrics["test"].accuracy))

    report = mlflow.artifacts.download_artifacts(f"runs:/{kept.info.run_id}/report.html")
    assert Path(report).read_bytes() == birds.report.read_bytes()
    address = f"runs:/{kept.info.run_id}/model"
    files = Path(mlflow.artifacts.download_artifacts(address))
    assert discern.load(files / "artifacts" / "bundle").class_names == ("blue", "green", "red")
    assert not [path for path in files.rglob("*") if path.suffix in (".pkl", ".pth", ".pt")]
    assert (files / "requirements.txt").read_text().split()[-1] == f"discern-vision=={discern.__version__}"

    model = mlflow.pyfunc.load_model(address)
    paths = sorted(map(str, photos.glob("*/1*.png")))
    expected = run.predict(paths, probabilities=True).drop(columns=["id", "path"])
    pd.testing.assert_frame_equal(model.predict(pd.DataFrame({"path": paths})), expected)
    contents = pd.DataFrame({"image": [Path(path).read_bytes() for path in paths]})
    pd.testing.assert_frame_equal(model.predict(contents), expected)
    with pytest.raises(ValueError, match="expected either path, with the paths of picture files, or image"):
        model.unwrap_python_model().predict(None, pd.DataFrame({"file": paths}))


def test_a_run_that_goes_on_is_the_same_run_unless_the_store_has_lost_it(birds, client) -> None:
    keep(birds, is_complete=False)
    begun = find_run(client, "birds")
    assert begun.info.status == "FAILED"
    keep(birds, is_complete=False)
    assert find_run(client, "birds").info.run_id == begun.info.run_id
    client.delete_run(begun.info.run_id)
    keep(birds, is_complete=False)
    assert find_run(client, "birds").info.run_id != begun.info.run_id


def test_members_of_a_run_in_folds_are_its_children_in_the_experiment_of_the_user(birds, client, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "birds of the garden")
    member = birds.fold(1)
    member.root.mkdir(parents=True)
    for name in ("plan.json", "environment.json"):
        (member.root / name).write_bytes((birds.root / name).read_bytes())
    for folder in (birds, member):
        keep(folder, is_complete=False)
    experiment = client.get_experiment_by_name("birds of the garden").experiment_id
    whole, part = (find_run(client, name, experiment) for name in ("birds", "fold 1"))
    assert part.data.tags["mlflow.parentRunId"] == whole.info.run_id


def test_a_run_of_the_calling_program_becomes_the_parent_and_stays_open(birds, client) -> None:
    with mlflow.start_run(run_name="mine") as mine:
        keep(birds, is_complete=False)
        assert mlflow.active_run().info.run_id == mine.info.run_id
    assert find_run(client, "birds").data.tags["mlflow.parentRunId"] == mine.info.run_id
    assert find_run(client, "mine").data.params == {}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://me:secret@127.0.0.1:9", "http://127.0.0.1:9"),
        ("ftp://somewhere", "ftp://somewhere"),
    ],
)
def test_a_store_that_cannot_be_used_is_an_error_before_any_picture_is_read(
    address, shown, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "pictures").mkdir()
    with pytest.raises(ConfigError) as caught:
        discern.train(tmp_path / "pictures", out=tmp_path / "birds", trackers=["mlflow"])
    assert f"the tracker mlflow cannot use its store {shown} (" in str(caught.value)
    assert "name another store by the variable MLFLOW_TRACKING_URI" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "birds").exists()
