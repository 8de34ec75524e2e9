"""verify, compare --leave-out and fieldcheck: exit codes, documents, and errors for people."""

import json
import shutil

import pytest

from discern.verification.checks import Verification


@pytest.fixture
def run(trained_run, tmp_path):
    return shutil.copytree(trained_run, tmp_path / "run", ignore=shutil.ignore_patterns("report.html", "plots"))


def test_verify_says_what_was_checked_and_exits_with_0_or_1(run_cli, run):
    code, text, _ = run_cli("verify", run)
    assert code == 0
    assert "evaluation/metrics.json: 52 numbers, agree" in text
    assert "all agree: " in text
    metrics = run / "evaluation" / "metrics.json"
    content = json.loads(metrics.read_text())
    content["test"]["accuracy"]["value"] = 0.123
    content["test"]["loss"]["low"] = 9
    metrics.write_text(json.dumps(content))
    code, text, errors = run_cli("verify", run)
    assert code == 1
    assert "evaluation/metrics.json: test.accuracy.value is 0.123, computed " in text + errors
    assert "evaluation/metrics.json: test.loss.low is 9, computed " in text + errors
    code, out, errors = run_cli("verify", run, "--json")
    document = Verification.model_validate_json(out)
    assert (code, len(document.disagreements)) == (1, 2)
    assert "computed" in errors


def test_a_key_is_made_and_signs(run_cli, run, tmp_path):
    code, text, _ = run_cli("verify", "--new-key", tmp_path / "my.key")
    assert code == 0
    assert "keep it secret" in text
    code, text, _ = run_cli("verify", run / "bundle", "--sign", tmp_path / "my.key")
    assert code == 0
    assert "signature.json was made by the key " in text
    code, text, _ = run_cli("verify", run / "bundle", "--key", tmp_path / "my.key.pub")
    assert (code, "the key that was given" in text) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify"], "give what to check: discern verify RUN; or make a key alone"),
        (["verify", "{run}", "--new-key", "k"], "give what to check"),
        (["verify", "{tmp}"], "is no run, no bundle and no exported file"),
        (
            ["verify", "{run}", "--sign", "{tmp}/none"],
            "cannot be read: No such file or directory; make one with: discern",
        ),
        (
            ["compare", "x.csv", "--leave-out", "camera", "--vary", "epochs=1,2"],
            "name one recipe, and leave out --vary",
        ),
        (["compare", "x.csv", "--leave-out", "camera", "--seeds", "2"], "run.seed=1 takes another seed"),
        (["fieldcheck", "{run}", "{tmp}/none", "--out", "{tmp}/f"], "none"),
        (["fieldcheck", "{run}", "{run}/bundle", "--out", "{tmp}/f"], "no pictures"),
        (["fieldcheck", "{run}", "{tmp}", "--max-error", "5", "--out", "{tmp}/f"], "expected 1 or more, and 0 to 1"),
    ],
)
def test_errors_are_for_people(run_cli, run, tmp_path, arguments, message):
    code, _, errors = run_cli(*(argument.format(run=run, tmp=tmp_path) for argument in arguments))
    assert code == 2
    assert errors.startswith("discern: ")
    assert message in errors
    assert "Traceback" not in errors
