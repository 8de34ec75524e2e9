"""A run that was left as it is agrees; whatever is changed in it is found."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discern.errors import DataError
from discern.evaluation.abstention import AbstentionThreshold, apply_threshold, choose_points
from discern.evaluation.intervals import exact_interval
from discern.evaluation.split_scores import score_splits
from discern.exporting.certificate import Certificate, Comparison, Latency
from discern.exporting.certificate_file import save_certificate
from discern.files import compute_sha256
from discern.predictor.bundle import load_bundle
from discern.predictor.evidence import Evidence
from discern.predictor.manifest import save_manifest
from discern.reports.evaluation_files import build_tables
from discern.verification.bundle import check_record_by_evidence
from discern.verification.comparing import compare_numbers, compare_tables
from discern.verification.evaluation import dump_metrics, load_published_predictions
from discern.workflows.export import export_public
from discern.workflows.verify import make_key, verify


@pytest.fixture(scope="module")
def whole_run(trained_run, photos, tmp_path_factory):
    """A run with another evaluation in it; tests must not change it."""
    from discern.workflows.evaluate import evaluate

    run = shutil.copytree(trained_run, tmp_path_factory.mktemp("whole") / "run")
    evaluate(run, photos, out=run / "evaluation" / "photos", ranking=True, plots=False, verbose=False)
    return run


@pytest.fixture
def run(whole_run, tmp_path):
    """The same without its report, which takes the longest."""
    left_out = shutil.ignore_patterns("report.html", "thumbnails", "plots")
    return shutil.copytree(whole_run, tmp_path / "run", ignore=left_out)


def find_disagreements(place, **options):
    return verify(place, verbose=False, **options).disagreements


def test_a_run_agrees_and_everything_in_it_is_counted(whole_run):
    found = verify(whole_run, verbose=False)
    assert found.disagreements == ()
    names = [check.name for check in found.checks]
    assert names == [
        "bundle/manifest.json",
        "plan.json",
        *(f"evaluation/{name}" for name in ("metrics.json", "per_class.csv", "confusion.csv", "coverage.csv")),
        "bundle/bundle.json",
        "bundle/evidence.safetensors",
        "split.csv",
        "evaluation/predictions.csv",
        "evaluation/photos/metrics.json",
        "evaluation/photos/abstention.json",
        *(f"evaluation/photos/{name}.csv" for name in ("per_class", "confusion", "coverage", "ranking")),
        "report.html",
    ]
    assert found.count("number") > 200
    assert found.count("text") > 200


def test_each_damaged_file_is_named(run):
    files = [
        *(f"bundle/{name}" for name in ("bundle.json", "manifest.json", "model.safetensors", "evidence.safetensors")),
        *("bundle/feature_bank.csv", "plan.json", "config.toml", "split.csv", "evaluation/predictions.csv"),
        *(f"evaluation/{name}" for name in ("metrics.json", "per_class.csv", "confusion.csv", "coverage.csv")),
        *(f"evaluation/photos/{name}" for name in ("metrics.json", "ranking.csv")),
    ]
    for place, name in enumerate(files):
        path = run / name
        content = path.read_bytes()
        harms = (b"", content[: len(content) // 2], content.replace(b"0", b"1", 1))
        path.write_bytes(harms[place % len(harms)])
        assert any(Path(name).name in text for text in find_disagreements(run)), name
        path.write_bytes(content)
    assert find_disagreements(run) == ()


def test_missing_files_are_named_together(run):
    names = ("bundle/evidence.safetensors", "config.toml", "evaluation/metrics.json", "evaluation/confusion.csv")
    for name in names:
        (run / name).unlink()
    found = find_disagreements(run)
    assert all(any(Path(name).name in text for text in found) for name in names)


def test_each_number_of_the_metrics_and_each_cell_of_the_tables_is_checked(run):
    folder = run / "evaluation"
    predictions = load_published_predictions(folder)
    computed = dump_metrics(score_splits(predictions))
    metrics = (folder / "metrics.json").read_text()
    for number in re.finditer(r"(?<=: )[0-9.e-]+(?=[,\n])", metrics):
        changed = str(float(number[0]) + 0.000001 * max(1.0, float(number[0]))) if "." in number[0] else f"{number[0]}1"
        content = json.loads(metrics[: number.start()] + changed + metrics[number.end() :])
        assert len(compare_numbers("metrics.json", content, computed).disagreements) == 1, number
    for name, text in build_tables(predictions.select("test")).items():
        assert (folder / name).read_text() == text
        for number in re.finditer(r"(?<=,)[0-9.]+(?=[,\n])", text):
            changed = text[: number.end()] + "1" + text[number.end() :]
            assert len(compare_tables(name, changed, text).disagreements) == 1, number


def test_predictions_that_were_improved_disagree_with_all_that_was_published(run):
    path = run / "evaluation" / "predictions.csv"
    table = pd.read_csv(path)
    row = table.index[table["split"] == "test"][0]
    columns = [name for name in table.columns if name.startswith("probability_")]
    first, second = table.loc[row, columns].astype(float).sort_values(ascending=False).index[:2]
    table.loc[row, [first, second]] = table.loc[row, [second, first]].to_numpy()
    table.loc[row, "predicted"] = second.removeprefix("probability_")
    table.to_csv(path, index=False, float_format="%.6g")
    named = " ".join(find_disagreements(run))
    for name in ("metrics.json: test.accuracy", "per_class.csv", "confusion.csv", "bundle.json: scores.test.accuracy"):
        assert name in named


def test_each_number_of_a_bundle_is_checked_even_if_its_checksums_were_renewed(run):
    path = run / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    names = list(json.loads((run / "bundle" / "manifest.json").read_text())["files"])
    for change in (
        lambda record: record["scores"]["validation"]["accuracy"].update(value=0.99),
        lambda record: record["scores"]["test"].update(count=7),
        lambda record: record["counts"].update(train=1000),
        lambda record: record["abstention"].update({"0.1": {"threshold": 0.5, "outcomes": {}}}),
    ):
        changed = json.loads(json.dumps(content))
        change(changed["record"])
        path.write_text(json.dumps(changed))
        save_manifest(run / "bundle", names)
        assert len(find_disagreements(run)) >= 1


def test_each_text_of_the_report_is_checked(run, whole_run):
    if (whole_run / "thumbnails").is_dir():
        shutil.copytree(whole_run / "thumbnails", run / "thumbnails")
    page = (whole_run / "report.html").read_text()
    accuracy = re.search(r"Accuracy [0-9.]+\s%", page[page.index('id="card"') :])[0]
    changed = page.replace(accuracy, "Accuracy 99.9 %").replace('<h2 id="card', '<p>1000 pictures</p><h2 id="card')
    (run / "report.html").write_text(changed)
    found = [text for text in find_disagreements(run) if text.startswith("report.html: it says ")]
    assert any("Accuracy 99.9 %" in text for text in found)
    assert any("1000 pictures" in text for text in found)


def test_a_bundle_that_stands_alone_is_checked_by_its_evidence(run, tmp_path):
    public = export_public(run, tmp_path / "public", verbose=False)
    found = verify(public, verbose=False)
    assert found.disagreements == ()
    assert [check.name for check in found.checks] == ["manifest.json", "bundle.json"]
    path = public / "bundle.json"
    content = json.loads(path.read_text())
    content["record"]["scores"]["validation"]["accuracy"]["value"] = 0.123
    path.write_text(json.dumps(content))
    save_manifest(public, json.loads((public / "manifest.json").read_text())["files"])
    assert find_disagreements(public) == (f"bundle.json: accuracy.value is 0.123, computed {_accuracy(run)}",)


def _accuracy(run):
    return json.loads((run / "evaluation" / "metrics.json").read_text())["validation"]["accuracy"]["value"]


def test_thresholds_are_chosen_again_from_the_evidence(run):
    """The few pictures here support no promise, so that one of more pictures is planted."""
    bundle = load_bundle(run / "bundle")
    many = Evidence(np.linspace(0.5, 1, 400), np.arange(400) >= 8, np.linspace(0.4, 1, 400))
    points = choose_points(many)
    assert [error for error, point in points.items() if point is None] == [0.01]
    outcomes = {
        error: point
        and AbstentionThreshold(
            threshold=point.threshold,
            outcomes={"validation": apply_threshold(point.threshold, many.confidences, many.is_right)},
        )
        for error, point in points.items()
    }
    scores = bundle.record.scores["validation"].model_copy(update={"count": 400, "accuracy": exact_interval(392, 400)})
    record = bundle.record.model_copy(update={"abstention": outcomes, "scores": {"validation": scores}})
    assert check_record_by_evidence(record, many).disagreements == ()
    for change in ({"threshold": 0.99}, {"outcomes": {}}):
        wrong = {**outcomes, 0.05: outcomes[0.05].model_copy(update=change)}
        found = check_record_by_evidence(record.model_copy(update={"abstention": wrong}), many).disagreements
        assert len(found) == 1
        assert found[0].startswith("abstention.0.05.")


def test_a_signature_goes_with_the_run_and_with_its_bundle(run, tmp_path):
    make_key(tmp_path / "my.key", verbose=False)
    key = tmp_path / "my.key.pub"
    assert find_disagreements(run, key=key) == ("signature.json: it is missing: this is not signed",)
    found = verify(run, sign=tmp_path / "my.key", key=key, verbose=False)
    assert found.disagreements == ()
    assert [(one.file, one.is_from_key) for one in found.signatures] == [
        ("bundle/signature.json", True),
        ("signature.json", True),
    ]
    assert find_disagreements(shutil.copytree(run / "bundle", tmp_path / "alone"), key=key) == ()
    (run / "notes.txt").write_text("new")
    again = verify(run, key=key, verbose=False)
    assert "files that were added after it was signed: notes.txt" in again.not_checked
    (run / "history.csv").write_text("changed")
    assert "signature.json: history.csv was changed after it was signed" in find_disagreements(run)


def test_what_disagrees_is_not_signed(run, tmp_path, capsys):
    make_key(tmp_path / "my.key", verbose=False)
    (run / "evaluation" / "confusion.csv").unlink()
    verify(run, sign=tmp_path / "my.key")
    assert "nothing was signed" in capsys.readouterr().out
    assert not (run / "signature.json").exists()


def test_an_exported_file_is_checked_by_its_certificate(run_export, tmp_path):
    file = run_export
    assert find_disagreements(file) == ()
    file.write_bytes(file.read_bytes() + b"x")
    assert find_disagreements(file) == (
        f"{file.name}: it was changed after its certificate was issued: its checksum is another one",
    )


@pytest.fixture
def run_export(tmp_path):
    """An exported file with a certificate, as `discern export` leaves them."""
    file = tmp_path / "run.onnx"
    file.write_bytes(b"network")
    same, latency = Comparison(1, 1.0, 0.0, 0.0, ()), Latency(40, 40, 1, 7, 8, 0.1, 0.1, 0.1, 0.1)
    save_certificate(
        Certificate("onnx", "fp32", "onnxruntime", 7, compute_sha256(file), {}, same, same, None, None, latency), file
    )
    return file


def test_a_place_without_anything_of_ours_is_refused(tmp_path):
    with pytest.raises(DataError, match="is no run, no bundle and no exported file"):
        verify(tmp_path, verbose=False)
    table = tmp_path / "train.csv"
    table.write_text("image,label\na.png,ant\n")
    with pytest.raises(DataError, match=r"train.csv is no run, no bundle and no exported file"):
        verify(table, verbose=False)
