"""The page of a run: its numbers, its pictures, what it says of what is missing, and that names stay text."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from discern.errors import RunFolderError
from discern.evaluation.intervals import exact_interval
from discern.planning.plan import CandidatePlan, load_plan, save_plan
from discern.reports import wording
from discern.reports.mistakes import choose_pictures
from discern.reports.run_facts import load_run_facts
from discern.run_folder import RunFolder
from discern.workflows.report import report
from html_checks import Page, check_page
from saved_runs import HOSTILE_NAMES, build_plan, make_run


def percent(fraction: float, digits: int = 1) -> str:
    return wording.percent(fraction, digits).replace(wording.THIN_SPACE, " ")


def percent_range(low: float, high: float, digits: int = 1) -> str:
    return f"{percent(low, digits)} to {percent(high, digits)}"


def read_page(run: Path) -> Page:
    return check_page(report(run).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def small_run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "small", ["ant", "bee", "cow"])


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change; its pictures stay where they are."""
    return shutil.copytree(small_run, tmp_path / "run")


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_training_leaves_the_page_of_its_run(trained_run):
    page = check_page((trained_run / "report.html").read_text(encoding="utf-8"))
    metrics = json.loads((trained_run / "evaluation" / "metrics.json").read_text())["test"]
    accuracy = metrics["accuracy"]
    assert f"{percent(accuracy['value'])} of 6 test pictures" in page.text
    assert percent_range(accuracy["low"], accuracy["high"]) in page.text
    assert "trained" in page.text
    assert "blue, green, red" in page.text
    shown = choose_pictures(load_run_facts(RunFolder(trained_run))).list_all()
    assert bool(page.find("img")) == bool(shown)
    assert len(list((trained_run / "thumbnails").glob("*.jpg"))) == len(shown)


@pytest.mark.parametrize("num_classes", [2, 3, 100])
def test_numbers_are_those_of_the_run_folder(num_classes, tmp_path):
    run = make_run(tmp_path / "run", [f"class {number}" for number in range(num_classes)], per_class=4)
    page = read_page(run)
    metrics = json.loads((run / "evaluation" / "metrics.json").read_text())
    for split in ("validation", "test"):
        for name in ("accuracy", "balanced_accuracy", "ece"):
            score = metrics[split][name]
            assert f"{percent(score['value'])} {percent_range(score['low'], score['high'])}" in page.text
        assert f"{metrics[split]['loss']['value']:.3f}" in page.text
    table = pd.read_csv(run / "evaluation" / "per_class.csv")
    for row in table.itertuples():
        assert f"{percent(row.recall)} {percent_range(row.recall_low, row.recall_high, 0)}" in page.text
    wrong = round((1 - metrics["test"]["accuracy"]["value"]) * metrics["test"]["count"])
    assert re.search(rf"(of|All) {wrong} mistakes?, the most confident first", page.text)


def test_a_hundred_classes_show_the_confused_part_of_the_matrix(tmp_path):
    page = read_page(make_run(tmp_path / "run", [f"class {number}" for number in range(100)], per_class=3))
    assert "of 100 classes that are confused most often" in page.text
    assert len(page.find("td")) < 3000


def test_cells_of_the_matrix_have_percentages_and_counts_with_the_pictures_of_each_class(small_run):
    page = read_page(small_run)
    confusion = pd.read_csv(small_run / "evaluation" / "confusion.csv", index_col=0)
    name = str(confusion.index[0])
    total, right = int(confusion.iloc[0].sum()), int(confusion.iloc[0, 0])
    assert f"{name} {total} {100 * right / total:.0f} {right}" in " ".join(page.text.split())


def test_what_surprises_nobody_is_no_surprise(small_run):
    answers = pd.read_csv(small_run / "evaluation" / "predictions.csv").query("split == 'test'")
    shown = choose_pictures(load_run_facts(RunFolder(small_run))).losses
    assert shown
    assert {one.id for one in shown} <= set(answers[answers["true"] != answers["predicted"]]["id"])
    assert all(one.true_probability < 0.5 for one in shown)


def test_wanted_shares_with_the_same_threshold_are_one_row(run):
    path = run / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    content["record"]["abstention"]["0.05"] = content["record"]["abstention"]["0.1"]
    path.write_text(json.dumps(content))
    text = " ".join(read_page(run).text.split())
    assert f"{percent(0.1, 0)} or {percent(0.05, 0)} {percent(0.8125)}" in text
    assert "Shares that lead to the same threshold are in one row" in text


def test_losses_say_whether_they_are_calibrated(small_run):
    text = " ".join(read_page(small_run).text.split())
    assert "before calibration" in text
    assert "negative log-likelihood of the true class after calibration" in text


def test_pictures_unlike_the_training_pictures_are_marked_and_counted(run):
    assert "unlike the training pictures" not in read_page(run).text
    path = run / "evaluation" / "predictions.csv"
    rows = pd.read_csv(path)
    wrong = rows.index[(rows["split"] == "test") & (rows["true"] != rows["predicted"])]
    rows = rows.assign(familiarity=0.25, unfamiliar=False)
    rows.loc[wrong[0], ["familiarity", "unfamiliar"]] = [0.0123, True]
    rows.to_csv(path, index=False)
    text = read_page(run).text
    assert "1 of 18 test pictures is unlike the training pictures, so that its label means little" in text
    assert "Familiarity 0.012: unlike the training pictures" in text
    assert "Familiarity 0.25 " in text


def test_names_of_classes_stay_text(tmp_path):
    page = read_page(make_run(tmp_path / "<b>run", HOSTILE_NAMES))
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }} {% raw %}" in page.text
    assert "49" not in page.text.split("{{ 7 * 7 }}")[1][:10]
    assert "<b>run" in page.text
    assert not [
        attributes for attributes in page.find("img", "svg") if "onerror" in attributes or "onload" in attributes
    ]
    assert not page.find("b")


def test_only_the_own_style_and_script_are_let_in(run):
    html = report(run).read_text(encoding="utf-8")
    policy = next(a["content"] for a in Page(html).find("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_the_page_can_be_made_again_when_the_pictures_are_gone(small_run, tmp_path):
    run = make_run(tmp_path / "run", ["ant", "bee", "cow"], seed=1)
    before = len(read_page(run).find("img"))
    (run / "photos").rename(tmp_path / "moved")
    assert before > 10
    assert len(read_page(run).find("img")) == before
    shutil.rmtree(run / "thumbnails")
    page = read_page(run)
    assert not page.find("img")
    assert "There are no pictures to show: the files cannot be read any more" in page.text
    page = check_page(report(run, data=tmp_path / "moved").read_text(encoding="utf-8"))
    assert len(page.find("img")) == before


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("evaluation/metrics.json", "There are no scores: evaluation/metrics.json is not in the run folder."),
        ("evaluation/predictions.csv", "The mistakes are not known: evaluation/predictions.csv is not in"),
        ("evaluation/per_class.csv", "The scores of the classes are not known: evaluation/per_class.csv is not in"),
        ("evaluation/confusion.csv", "The confusion matrix is not known: evaluation/confusion.csv"),
        ("history.csv", "There are no curves: history.csv is not in the run folder."),
        ("split.csv", "The classes by split are not known: split.csv is not in the run folder."),
        ("config.toml", "The settings are not known: config.toml is not in the run folder."),
        ("bundle/bundle.json", "This run is not complete"),
        ("plan.json", "What was decided automatically is not known: plan.json is not in the run folder."),
        ("audit.json", "There is no audit: audit.json is not in the run folder."),
    ],
)
def test_each_missing_part_is_named(run, lost, said):
    (run / lost).unlink(missing_ok=True)
    assert said in read_page(run).text


@pytest.mark.parametrize(
    "damaged",
    [
        "evaluation/metrics.json",
        "evaluation/predictions.csv",
        "evaluation/per_class.csv",
        "evaluation/confusion.csv",
        "history.csv",
        "split.csv",
        "config.toml",
        "bundle/bundle.json",
        "bad_files.csv",
        "audit.json",
        "plan.json",
        "evaluation/metrics_without_leaks.json",
    ],
)
@pytest.mark.parametrize("content", ["", "{}", "[1, 2", '{"test": 3}', "\0\0\n1,2,3"])
def test_damaged_files_stop_nothing(run, damaged, content):
    (run / damaged).write_text(content)
    assert "Verdict" in read_page(run).text


def test_a_run_without_anything_but_its_mark_has_a_page(run):
    for path in list(run.iterdir()):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "environment.json":
            path.unlink()
    page = read_page(run)
    assert "Nothing was evaluated" in page.text
    assert "This run is not complete" in page.text


def test_old_metrics_without_newer_scores_are_read(run):
    path = run / "evaluation" / "metrics.json"
    old = {
        split: {name: values[name] for name in ("count", "accuracy", "loss")}
        for split, values in json.loads(path.read_text()).items()
    }
    path.write_text(json.dumps(old))
    page = read_page(run)
    assert "Brier" not in page.text
    assert percent(old["test"]["accuracy"]["value"]) in page.text


def test_a_run_without_a_test_split_says_that_its_scores_are_too_optimistic(run):
    path = run / "evaluation" / "metrics.json"
    path.write_text(json.dumps({"validation": json.loads(path.read_text())["validation"]}))
    page = read_page(run)
    assert "There is no test split" in page.text
    assert "they are too optimistic" in page.text
    assert "18 validation pictures classified correctly" in page.text


def test_no_better_than_the_baseline_is_the_first_warning(tmp_path):
    page = read_page(make_run(tmp_path / "run", ["ant", "bee"], accuracy=0.5, per_class=10))
    assert "Problem No better than the baseline" in page.text
    assert page.text.index("No better than the baseline") < page.text.index("20 test pictures classified correctly")


def test_leaks_are_reported_with_the_accuracy_without_them(run):
    metrics = json.loads((run / "evaluation" / "metrics.json").read_text())
    clean = metrics["test"] | {"count": 15, "accuracy": {"value": 0.4321, "low": 0.2, "high": 0.7}}
    (run / "evaluation" / "metrics_without_leaks.json").write_text(json.dumps({"test": clean}))
    page = read_page(run)
    assert "Problem The same pictures in more than one split" in page.text
    assert "3 test pictures of 18 are also in an earlier split. Without them the accuracy is 43.2" in page.text
    assert "With and without leaks" in page.text


def test_a_split_of_which_every_picture_leaked_says_nothing(run):
    (run / "evaluation" / "metrics_without_leaks.json").write_text("{}")
    assert (
        "Every test picture is also in an earlier split: the scores say nothing about new pictures."
        in read_page(run).text
    )


def test_a_split_without_leaks_is_not_warned_of(run):
    shutil.copy(run / "evaluation" / "metrics.json", run / "evaluation" / "metrics_without_leaks.json")
    assert "in more than one split" not in read_page(run).text


def test_fixes_that_were_applied_are_named(run):
    fixes = [{"path": "/data/fixes.csv", "sha256": "0", "rows": {"drop": 2, "relabel": 5}}]
    change_json(run / "environment.json", data={"source": "/data/photos", "fixes": fixes})
    assert "Fixes applied from /data/fixes.csv : drop 2, relabel 5." in read_page(run).text


def test_an_audit_is_summarised(run):
    finding = {
        "kind": "label_errors",
        "severity": "error",
        "title": "Labels <look> wrong",
        "explanation": "Because.",
        "count": 7,
    }
    audit = {"format": "discern-audit", "count": 90, "form": "quick", "findings": [finding, {**finding, "count": 0}]}
    (run / "audit.json").write_text(json.dumps(audit))
    page = read_page(run)
    assert "Labels <look> wrong (7): Because." in page.text
    assert "Problem Data: Labels <look> wrong Because. Found 7 times." in page.text


def test_networks_that_were_compared_are_a_table(run):
    assert "Loss of the probe" not in read_page(run).text
    plan, plan_path = build_plan(), RunFolder(run).plan
    compared = [
        CandidatePlan(
            name=name,
            loss=loss,
            accuracy=exact_interval(hits, 100),
            multiply_adds=round(1e8 * milliseconds),
            forward_milliseconds=milliseconds,
            training_seconds=100 * milliseconds,
            is_chosen=name == "resnet50 imagenet-v2 crop",
        )
        for name, loss, hits, milliseconds in (
            ("resnet50 imagenet-v2 crop", 0.41, 87, 25.04),
            ("timm:mobilenetv2_100 crop", 0.52, 83, 3.06),
        )
    ]
    save_plan(plan.model_copy(update={"candidates": tuple(compared)}), plan_path)
    assert load_plan(plan_path).candidates == tuple(compared)
    text = read_page(run).text
    accuracy = compared[0].accuracy
    shown = f"{percent(accuracy.value)} {percent_range(accuracy.low, accuracy.high)}"
    assert re.search(rf"resnet50 imagenet-v2 crop \(chosen\)\s+0.410\s+{re.escape(shown)}\s+2.50\s+25.0\s+2.504", text)
    assert "timm:mobilenetv2_100 crop" in text


def test_it_says_how_it_was_made(run):
    page = read_page(run)
    root = RunFolder(run).root
    assert f"discern train /data/photos --recipe {root}/config.toml data.split_file={root}/split.csv" in page.text
    assert "It was started as: discern train photos seed=3" in page.text
    assert "Settings that differ from the recipe transfer (2)" in page.text
    assert "training.phases.0.epochs 8 15" in page.text
    assert "training.batch_size 8, for 90 training pictures" in page.text
    assert "device cpu, no GPU found" in page.text
    assert "None were used: the network started from random weights." in page.text


def test_calibration_and_thresholds_are_shown(run):
    page = read_page(run)
    assert "with temperature 1.50: the calibration error is 4.5" in page.text
    assert re.search(r"10\s% 81\.2\s% \u2013 \u2013 62\.5\s% 5\.0\s% 1\.0\s% to 20\.0\s%", page.text)
    assert "not possible: too few validation pictures, or too many confident mistakes among them" in page.text


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run of discern; give the folder that discern train wrote"):
        report(tmp_path)
