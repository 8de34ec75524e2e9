import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import make_blobs

from discern.auditing.label_errors import find_label_issues, predict_out_of_fold
from discern.errors import RunFolderError
from discern.evaluation.intervals import exact_interval
from discern.workflows.audit import audit
from discern.workflows.train import train
from pictures import QUICK, draw_photos


@pytest.fixture
def spoilt(tmp_path):
    """Photos in the user's own split, with one of each problem."""
    root = tmp_path / "spoilt"
    draw_photos(root / "train", per_class=10)
    draw_photos(root / "test", per_class=4, first_seed=500)
    shutil.copy(root / "train" / "red" / "0.png", root / "test" / "red" / "leak.png")
    shutil.copy(root / "train" / "red" / "1.png", root / "train" / "blue" / "conflict.png")
    shutil.copy(root / "train" / "green" / "2.png", root / "train" / "green" / "twice.png")
    return root


def break_files(root):
    (root / "train" / "red" / "empty.jpg").write_bytes(b"")
    (root / "train" / "red" / "text.png").write_text("no picture")
    whole = (root / "train" / "green" / "3.png").read_bytes()
    (root / "train" / "green" / "3.png").write_bytes(whole[: len(whole) // 2])
    Image.new("RGB", (40, 40), "white").save(root / "train" / "blue" / "white.png")
    Image.open(root / "train" / "blue" / "4.png").save(root / "train" / "blue" / "4.png", format="BMP")


def find(found, kind):
    return next(finding for finding in found.findings if finding.kind == kind)


def test_every_planted_problem_is_found_and_nothing_is_touched(spoilt, tmp_path):
    break_files(spoilt)
    before = {path: path.read_bytes() for path in spoilt.rglob("*") if path.is_file()}
    found = audit(spoilt, out=tmp_path / "audit", form="quick")
    assert {finding.kind: finding.count for finding in found.findings} == {
        "empty_file": 1,
        "truncated": 1,
        "unreadable": 1,
        "leaks": 1,
        "conflicting_labels": 1,
        "exact_duplicates": 1,
        "wrong_extension": 1,
        "one_colour": 1,
    }
    assert repr(found).endswith("3 classes, 5 errors, 3 warnings>")
    assert "train/blue/white.png" in found._repr_html_()
    (leak,) = find(found, "leaks").items
    assert set(leak.ids) == {"train/red/0.png", "test/red/leak.png"}
    assert leak.action_ids == ("train/red/0.png",)
    assert "in train and test" in leak.detail
    (conflict,) = find(found, "conflicting_labels").items
    assert set(conflict.labels) == {"red", "blue"}
    assert len(conflict.action_ids) == 2
    severities = [finding.severity for finding in found.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert {path: path.read_bytes() for path in spoilt.rglob("*") if path.is_file()} == before
    content = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert (content["format"], content["form"], content["splits"]) == (
        "discern-audit",
        "quick",
        {"train": 35, "test": 13},
    )
    width = exact_interval(12, 13)
    assert content["balance"]["expected_interval_width"]["test"] == pytest.approx(width.high - width.low)
    assert content["findings"][0]["count"] == len(content["findings"][0]["items"])


def test_the_fixes_can_be_applied_as_they_are_and_leave_nothing_to_find(spoilt, tmp_path):
    break_files(spoilt)
    audit(spoilt, out=tmp_path / "audit", form="quick")
    fixes = pd.read_csv(tmp_path / "audit" / "fixes.csv")
    assert not fixes["path"].duplicated().any()
    again = audit(spoilt, out=tmp_path / "again", form="quick", overrides=[f"data.fixes={tmp_path}/audit/fixes.csv"])
    assert [finding.kind for finding in again.findings] == ["wrong_extension"]


def test_rows_without_a_file_and_files_without_a_row(photos, tmp_path):
    rows = [(f"{name}/{number}.png", name) for name in ("blue", "red") for number in range(12)]
    pd.DataFrame([*rows[1:], ("red/gone.png", "red")], columns=["path", "label"]).to_csv(
        tmp_path / "t.csv", index=False
    )
    found = audit(tmp_path / "t.csv", out=tmp_path / "audit", form="quick", overrides=[f"data.image_root={photos}"])
    assert find(found, "missing_file").items[0].ids == ("red/gone.png",)
    assert find(found, "unlisted_files").count == 1 + 12


def test_a_run_on_a_leaking_split_says_so_and_scores_again_without(spoilt, tmp_path):
    run = train(spoilt, out=tmp_path / "run", recipe="table", overrides=QUICK)
    leaks = pd.read_csv(run.folder.leaks)
    assert leaks[["id", "split", "twin_id", "twin_split", "same_label"]].to_numpy().tolist() == [
        ["test/red/leak.png", "test", "train/red/0.png", leaks["twin_split"][0], True]
    ]
    assert leaks["twin_split"][0] in ("train", "validation")
    without = json.loads((run.folder.evaluation / "metrics_without_leaks.json").read_text())
    assert (run.metrics["test"].count, without["test"]["count"]) == (13, 12)
    predictions = pd.read_csv(run.folder.evaluation / "predictions.csv")
    kept = predictions[(predictions["split"] == "test") & (predictions["id"] != "test/red/leak.png")]
    assert without["test"]["accuracy"]["value"] == pytest.approx((kept["true"] == kept["predicted"]).mean())
    log = run.folder.log.read_text()
    assert "the split leaks: pictures that another split has as well: 1 of test" in log
    assert "audit: 1 x the same picture with different labels" in log
    assert json.loads(run.folder.audit.read_text())["form"] == "quick"


def test_copies_stay_on_one_side_in_a_run_unless_switched_off(photos, tmp_path):
    twice = tmp_path / "twice"
    shutil.copytree(photos, twice)
    for path in sorted(twice.rglob("*.png")):
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    run = train(twice, out=tmp_path / "run", recipe="table", overrides=QUICK)
    side = pd.read_csv(run.folder.split).set_index("id")["split"]
    assert all(side[name] == side[name.replace("copy-", "")] for name in side.index)
    assert set(side) == {"train", "validation", "test"}
    assert not run.folder.leaks.exists()
    apart = train(twice, out=tmp_path / "apart", recipe="table", overrides=[*QUICK, "data.group_duplicates=false"])
    assert len(pd.read_csv(apart.folder.leaks)) > 3


def test_fixes_are_recorded(photos, tmp_path):
    fixes = tmp_path / "fixes.csv"
    fixes.write_text("path,action,value\nred/0.png,drop,\nred/1.png,relabel,blue\n")
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, f"data.fixes={fixes}"])
    split = pd.read_csv(run.folder.split).set_index("id")
    assert len(split) == 35
    assert split.loc["red/1.png", "label"] == "blue"
    recorded = json.loads(run.folder.environment.read_text())["data"]["fixes"]
    assert recorded[0]["rows"] == {"drop": 1, "relabel": 1}
    assert len(recorded[0]["sha256"]) == 64


def test_label_errors_are_ranked_and_a_copy_does_not_vouch():
    features, targets = make_blobs(300, n_features=8, centers=3, cluster_std=2.0, random_state=0)
    wrong = np.array([5, 50, 100, 150])
    given = targets.copy()
    given[wrong] = (given[wrong] + 1) % 3
    copies = np.concatenate([features, np.repeat(features[[5]], 8, axis=0)])
    labels = np.concatenate([given, np.repeat(given[5], 8)])
    clusters = np.full(len(labels), -1)
    clusters[[5, *range(300, 308)]] = 0
    probabilities = predict_out_of_fold(copies, labels, clusters)
    issues = find_label_issues(labels, probabilities)
    assert {issue.row for issue in issues} == {*wrong.tolist(), *range(300, 308)}
    assert all(issue.suggested == targets[issue.row] for issue in issues if issue.row < 300)
    scores = [issue.score for issue in issues]
    assert scores == sorted(scores, reverse=True)


def test_what_is_not_looked_for_is_said(photos, tmp_path, caplog):
    with caplog.at_level("INFO", logger="discern"):
        audit(photos, out=tmp_path / "audit", overrides=["model.weights=none"])
    assert "wrong labels were not looked for: model.weights=none" in caplog.text


@pytest.mark.parametrize("errors", [False, True])
def test_the_exit_code_says_whether_something_must_be_mended(photos, spoilt, tmp_path, errors, monkeypatch, capsys):
    from discern.cli.app import main

    source = spoilt if errors else photos
    arguments = ["discern", "audit", str(source), "--quick", "--out", str(tmp_path / "audit")]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()
    assert (caught.value.code or 0) == int(errors)
    shown = capsys.readouterr().out
    assert f"written: {tmp_path / 'audit'}" in shown
    # Fixes are only recommended where there are any.
    assert ("discern train DATA --apply" in shown) == errors
    assert Path(tmp_path / "audit" / "fixes.csv").is_file()


def test_features_find_copies_that_are_cropped_too_much_for_hashes(shared_data, mobilenet_weights, tmp_path):
    for name in ("ants", "bees"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for path in sorted((shared_data / "hymenoptera" / "train" / name).glob("*.jpg"))[:12]:
            shutil.copy(path, tmp_path / "photos" / name)
    originals = sorted((tmp_path / "photos" / "ants").glob("*.jpg"))
    for number, original in enumerate(originals):
        with Image.open(original) as image:
            width, height = image.size
            left, top = (number % 3) * width // 12, (number % 2) * height // 6
            cropped = image.crop((left, top, left + width * 5 // 6, top + height * 5 // 6))
        cropped.save(original.with_name(f"{original.stem}_cropped.jpg"), quality=85)
    overrides = ["model.backbone=timm:mobilenetv2_100", f"model.weights={mobilenet_weights}", "run.threads=1"]
    found = {}
    for form in ("quick", "full"):
        content = audit(tmp_path / "photos", out=tmp_path / form, overrides=overrides, form=form).content
        copies = [finding for finding in content["findings"] if finding["kind"] == "near_duplicates"]
        found[form] = [sorted(item["ids"]) for finding in copies for item in finding["items"]]
    true_pairs = [sorted([f"ants/{path.name}", f"ants/{path.stem}_cropped.jpg"]) for path in originals]
    assert all(pair in true_pairs for pair in found["full"])
    assert len(found["full"]) >= 8 > 4 >= len(found["quick"])


def test_paths_may_be_text_and_findings_are_shown(photos, tmp_path, capsys):
    audit(str(photos), out=str(tmp_path / "audit"), form="quick")
    assert sorted(path.name for path in (tmp_path / "audit").iterdir()) == ["audit.html", "audit.json", "fixes.csv"]
    assert f"written: {tmp_path / 'audit'}" in capsys.readouterr().out
    audit(str(photos), out=str(tmp_path / "again"), form="quick", verbose=False)
    assert capsys.readouterr().out == ""


def test_without_a_folder_one_is_made_under_runs(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        audit(photos, form="quick")
    name = f"{photos.name}-audit"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [name, f"{name}-2"]


def test_a_folder_that_cannot_be_made_is_said_before_the_work(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("discern.workflows.audit.compute_fingerprints", lambda *_, **__: pytest.fail("work is done"))
    (tmp_path / "file").write_text("here already")
    with pytest.raises(RunFolderError, match=r"the folder .*file cannot be created \(File exists\); give another out"):
        audit(photos, out=tmp_path / "file", form="quick")
