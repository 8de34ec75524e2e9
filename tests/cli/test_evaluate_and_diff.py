import shutil

import pytest


def test_numbers_are_recomputed_from_a_file_of_predictions(run_cli, trained_run, tmp_path):
    file = tmp_path / "predictions.csv"
    shutil.copy(trained_run / "evaluation" / "predictions.csv", file)
    code, text, _ = run_cli("evaluate", "--predictions", file)
    assert code == 0
    assert "12 pictures: 6 validation, 6 test" in text
    assert f"written: {tmp_path / 'predictions'}" in text
    for name in ("metrics.json", "per_class.csv", "confusion.csv", "plots/reliability.png"):
        assert (tmp_path / "predictions" / name).is_file()
    code, text, _ = run_cli("evaluate", "--predictions", file)
    assert f"written: {tmp_path / 'predictions-2'}" in text


def test_two_runs_are_compared(run_cli, trained_run, tmp_path):
    code, text, _ = run_cli("diff", trained_run, trained_run, "--out", tmp_path / "out")
    assert code == 0
    assert "A: accuracy " in text
    assert "not distinguishable: A and B are right and wrong on the same pictures" in text
    assert (tmp_path / "out" / "disagreements.csv").is_file()


def test_a_comparison_lies_beside_the_predictions_of_b_by_default(run_cli, trained_run, tmp_path):
    shutil.copytree(trained_run / "evaluation", tmp_path / "b" / "evaluation")
    code, text, _ = run_cli("diff", trained_run, tmp_path / "b", "--split", "val")
    assert code == 0
    folder = tmp_path / "b" / "evaluation" / f"against-{trained_run.name}"
    assert f"written: {folder}" in text
    assert (folder / "comparison.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate"], "give a run and labelled pictures: discern evaluate RUN DATA; or --predictions FILE"),
        (["evaluate", "{run}"], "give a run and labelled pictures"),
        (["evaluate", "{run}", "--predictions", "p.csv"], "--predictions replaces RUN and DATA"),
        (
            ["evaluate", "--predictions", "p.csv", "--split", "test"],
            "only --out, --ranking and --json can be given with it",
        ),
        (["evaluate", "--predictions", "p.csv", "--tta", "flip"], "only --out, --ranking and --json can be given"),
        (["evaluate", "--predictions", "{tmp}/none.csv"], "none.csv: not readable as a CSV of predictions"),
        (["evaluate", "--predictions", "{run}/split.csv"], "split.csv: no column true"),
        (["diff", "{run}", "{tmp}"], "has no predictions; looked for"),
        (["diff", "{run}", "{run}", "--split", "tset", "--out", "{tmp}/out"], "the split 'tset' is not in both"),
        (["diff", "{run}", "{run}/split.csv", "--out", "{tmp}/out"], "Expected a predictions.csv"),
    ],
)
def test_errors_are_for_people(run_cli, trained_run, tmp_path, arguments, message):
    places = {"run": trained_run, "tmp": tmp_path}
    code, _, err = run_cli(*(argument.format(**places) for argument in arguments))
    assert code == 2
    assert err.startswith("discern: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["evaluate", "diff"])
def test_help_names_what_can_be_given(run_cli, command):
    code, text, _ = run_cli(command, "--help")
    assert code == 0
    assert "predictions" in text
