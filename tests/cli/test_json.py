"""`--json` prints one document on standard output and nothing else; messages go to standard error."""

import json
import shutil

import pandas as pd
import pytest

from discern.cli.documents import AuditDocument, DiffDocument, EvaluationDocument, PredictionDocument
from pictures import draw_photos


@pytest.fixture
def few_photos(tmp_path):
    """Three pictures, and a file that is none."""
    folder = draw_photos(tmp_path / "few", per_class=1, first_seed=50)
    (folder / "red" / "bad.png").write_bytes(b"bad")
    return folder


def test_an_evaluation_is_printed_as_its_metrics(run_cli, trained_run, photos, tmp_path):
    code, out, err = run_cli("evaluate", trained_run, photos, "--out", tmp_path / "e", "--json")
    document = EvaluationDocument.model_validate_json(out)
    assert (code, document.folder) == (0, str(tmp_path / "e"))
    assert json.loads(out)["metrics"] == json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert "36 pictures" in err

    file = shutil.copy(trained_run / "evaluation" / "predictions.csv", tmp_path)
    code, out, _ = run_cli("evaluate", "--predictions", file, "--json")
    assert (code, list(json.loads(out)["metrics"])) == (0, ["validation", "test"])


def test_answers_are_printed_as_the_rows_of_their_table(run_cli, trained_run, few_photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli("predict", trained_run, few_photos, "--json")
    document = PredictionDocument.model_validate_json(out)
    assert (code, document.file, len(document.answers)) == (1, None, 3)
    assert [row["label"] for row in document.answers] == ["blue", "green", "red"]
    assert [problem["path"].endswith("bad.png") for problem in document.problems] == [True]
    assert "bad.png" in err
    assert not (tmp_path / "predictions.csv").exists()

    _, out, _ = run_cli("predict", trained_run, few_photos, "--json", "--out", "answers.csv")
    table = pd.read_csv("answers.csv")
    assert json.loads(out)["file"] == "answers.csv"
    assert pd.DataFrame(json.loads(out)["answers"])["confidence"].tolist() == pytest.approx(
        table["confidence"], rel=1e-4
    )


def test_an_audit_is_printed_with_its_findings(run_cli, few_photos, tmp_path):
    code, out, err = run_cli("audit", few_photos, "--quick", "--out", tmp_path / "audit", "--json")
    document = AuditDocument.model_validate_json(out)
    assert (code, document.audit.count) == (1, 4)
    assert "unreadable" in {finding.kind for finding in document.audit.findings}
    assert f"written: {tmp_path / 'audit'}" in err


def test_a_comparison_is_printed_as_in_its_file(run_cli, trained_run, tmp_path):
    code, out, err = run_cli("diff", trained_run, trained_run, "--out", tmp_path / "diff", "--json")
    document = DiffDocument.model_validate_json(out)
    assert (code, document.comparison.count) == (0, 6)
    assert json.loads(out)["comparison"] == json.loads((tmp_path / "diff" / "comparison.json").read_text())
    assert f"written: {tmp_path / 'diff'}" in err
