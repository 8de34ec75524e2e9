"""Runs on pictures that fixes have changed: from the audit's file, from a review's, and begun again."""

import json

import pandas as pd
import pytest
from PIL import Image

from discern.cli.app import main
from discern.errors import RunFolderError
from discern.run_folder import RunFolder
from discern.training.listeners import LogLines
from discern.workflows.audit import audit
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import QUICK, draw_photos

OVERRIDES = [*QUICK, "training.phases.*.epochs=3"]


def run_command(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["discern", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code or 0


@pytest.fixture
def fixes(tmp_path):
    file = tmp_path / "fixes.csv"
    file.write_text("path,action,value\nred/0.png,drop,\nred/1.png,relabel,blue\n")
    return file


@pytest.fixture
def own_photos(tmp_path):
    """Photos that a test may change."""
    return draw_photos(tmp_path / "photos")


def die(*_, **__):
    raise RuntimeError("the machine burns")


@pytest.fixture
def interrupted(photos, fixes, tmp_path, monkeypatch):
    """A run with fixes that dies after its first epoch."""
    with monkeypatch.context() as patched:
        patched.setattr(LogLines, "on_epoch_end", die)
        with pytest.raises(RuntimeError, match="burns"):
            train(photos, out=tmp_path / "run", recipe="table", overrides=[*OVERRIDES, f"data.fixes={fixes}"])
    return tmp_path / "run"


def test_a_resumed_run_goes_on_with_its_fixes(interrupted, photos, fixes, tmp_path):
    run = resume(interrupted)
    whole = train(photos, out=tmp_path / "whole", recipe="table", overrides=[*OVERRIDES, f"data.fixes={fixes}"])
    split = pd.read_csv(run.folder.split).set_index("id")
    assert "red/0.png" not in split.index
    assert split.loc["red/1.png", "label"] == "blue"
    assert run.folder.split.read_bytes() == whole.folder.split.read_bytes()


def test_a_resumed_run_writes_paths_as_the_source_was_given(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos.parent)
    with monkeypatch.context() as patched:
        patched.setattr(LogLines, "on_epoch_end", die)
        with pytest.raises(RuntimeError, match="burns"):
            train(photos.name, out=tmp_path / "run", recipe="table", overrides=OVERRIDES)
    resumed = resume(tmp_path / "run")
    whole = train(photos.name, out=tmp_path / "whole", recipe="table", overrides=OVERRIDES)
    for name in ("evaluation/predictions.csv", "bundle/feature_bank.csv"):
        assert (resumed.folder.root / name).read_bytes() == (whole.folder.root / name).read_bytes()


def test_a_run_is_not_resumed_with_other_fixes(interrupted, fixes):
    fixes.write_text("path,action,value\nred/0.png,drop,\n")
    with pytest.raises(RunFolderError) as caught:
        resume(interrupted)
    assert str(caught.value) == (
        f"the files of fixes are not what they were when the run in {interrupted} was started; start a new run with "
        "another out=..."
    )


def test_several_files_of_fixes_hold_and_the_last_word_counts(photos, fixes, tmp_path, monkeypatch):
    later = tmp_path / "later.csv"
    later.write_text("path,action,value\nred/1.png,relabel,green\ngreen/3.png,drop,\n")
    run = RunFolder(tmp_path / "run")
    arguments = ["train", photos, *QUICK, "--recipe", "table", "--out", run.root, "--apply", fixes, "--apply", later]
    assert run_command(monkeypatch, *arguments) == 0
    split = pd.read_csv(run.split).set_index("id")
    assert not {"red/0.png", "green/3.png"} & set(split.index)
    assert split.loc["red/1.png", "label"] == "green"
    recorded = json.loads(run.environment.read_text())["data"]["fixes"]
    assert [file["path"] for file in recorded] == [str(fixes), str(later)]


def test_what_a_review_decided_can_be_applied(photos, tmp_path, monkeypatch):
    overrides = tmp_path / "overrides.csv"
    overrides.write_text(
        "path,action,old,new,time\n"
        "red/0.png,relabel,red,blue,2026-01-01T10:00:00\n"
        "red/0.png,keep,red,,2026-01-01T10:01:00\n"
        "red/2.png,relabel,red,green,2026-01-01T10:02:00\n"
    )
    run = RunFolder(tmp_path / "run")
    arguments = ["train", photos, *QUICK, "--recipe", "table", "--out", run.root, "--apply", overrides]
    assert run_command(monkeypatch, *arguments) == 0
    labels = pd.read_csv(run.split).set_index("id")["label"]
    assert (labels["red/0.png"], labels["red/2.png"]) == ("red", "green")


def test_a_row_for_no_picture_is_named_on_one_line_and_the_command_exits_with_2(photos, tmp_path, monkeypatch, capsys):
    fixes = tmp_path / "wrong.csv"
    fixes.write_text("path,action,value\nred/none.png,relabel,blue\n")
    arguments = ["train", photos, *QUICK, "--out", tmp_path / "run", "--apply", fixes]
    assert run_command(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert "fixes for pictures that it does not have" in error
    assert "wrong.csv, row 1: 'red/none.png'" in error


def test_copies_with_other_labels_are_grouped_and_left_to_a_person(own_photos, tmp_path):
    with Image.open(own_photos / "red" / "4.png") as image:
        image.convert("RGB").save(own_photos / "blue" / "same.jpg", quality=95)
    found = audit(own_photos, out=tmp_path / "audit", form="quick")
    (conflict,) = (finding for finding in found.findings if finding.kind == "conflicting_labels")
    assert "which label is right a person must decide" in conflict.explanation
    fixes = pd.read_csv(tmp_path / "audit" / "fixes.csv")
    assert set(fixes["path"]) == {"red/4.png", "blue/same.jpg"}
    assert set(fixes["action"]) == {"group"}
    assert fixes["value"].nunique() == 1
    # Without the search for copies it is the fixes that hold the two together.
    overrides = [*QUICK, "data.group_duplicates=false", f"data.fixes={tmp_path}/audit/fixes.csv"]
    for seed in range(3):
        run = train(own_photos, out=tmp_path / f"run{seed}", recipe="table", overrides=[*overrides, f"run.seed={seed}"])
        side = pd.read_csv(run.folder.split).set_index("id")["split"]
        assert side["red/4.png"] == side["blue/same.jpg"]


def test_without_an_audit_no_file_is_left_and_nothing_is_decoded_for_it(photos, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("fingerprints were taken")

    monkeypatch.setattr("discern.data.prepare.compute_fingerprints", refuse)
    overrides = [*QUICK, "data.audit=off", "data.group_duplicates=false"]
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=overrides)
    assert not run.folder.audit.exists()
    assert not run.folder.leaks.exists()
