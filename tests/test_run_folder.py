"""A run folder at every moment at which its process may be killed."""

import shutil

import pytest
from safetensors.torch import load_file

import discern
from discern.errors import DiscernError, RunFolderError
from discern.ownership import owning
from discern.reports.run import Run
from discern.reports.run_facts import load_run_facts
from discern.run_folder import RUN_FILES, RunFolder, check_interrupted_run, check_new_run, name_source
from discern.workflows.diff import diff
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import QUICK
from saved_runs import make_run

WRITTEN_BEFORE_TRAINING = ("environment.json", "split.csv", "audit.json", "leaks.csv", "plan.json", "config.toml")


class Killed(BaseException):
    """Ends a command where a kill would."""


@pytest.fixture
def folder(tmp_path):
    return RunFolder(make_run(tmp_path / "run", ["cat", "dog"]))


@pytest.mark.parametrize("count", range(len(WRITTEN_BEFORE_TRAINING)))
def test_a_run_that_was_killed_before_it_existed_is_begun_anew_and_not_resumed(tmp_path, folder, count):
    begun = RunFolder(tmp_path / "begun")
    begun.root.mkdir()
    for name in WRITTEN_BEFORE_TRAINING[:count]:
        source = folder.root / name
        (begun.root / name).write_bytes(source.read_bytes() if source.exists() else b"x")
    (begun.root / ".plan.json.123.tmp").touch()
    with pytest.raises(
        RunFolderError, match=r"holds (no run to resume|only what is left .*); discern.train starts one"
    ):
        check_interrupted_run(begun)
    check_new_run(begun, overwrite=False)
    begun.begin_run()
    assert not list(begun.root.iterdir()) or not count


def test_a_run_exists_from_the_moment_that_its_settings_are_written(folder):
    with pytest.raises(RunFolderError, match=r"already holds a run; give another out=..., or overwrite=True"):
        check_new_run(folder, overwrite=False)
    (folder.bundle / "bundle.json").unlink()
    with pytest.raises(
        RunFolderError, match=r"already holds a run; give another out=..., discern.resume to continue it, or"
    ):
        check_new_run(folder, overwrite=False)


@pytest.mark.parametrize("removed", [1, 4, len(RUN_FILES)])
def test_each_moment_of_a_removal_leaves_what_a_run_may_replace(folder, removed):
    for name in RUN_FILES[:removed]:
        (folder.root / name).unlink(missing_ok=True)
    assert not folder.holds_run()
    check_new_run(folder, overwrite=False)


def test_the_report_comes_before_the_state_is_removed_so_that_resuming_writes_it(photos, tmp_path, monkeypatch):
    out = tmp_path / "run"

    def die(*arguments, **options):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("discern.workflows.finish.try_write_report", die)
        with pytest.raises(Killed):
            train(photos, out=out, recipe="table", overrides=[*QUICK, "run.report=true", "run.determinism=true"])
    folder = RunFolder(out)
    assert not folder.is_complete()
    assert not folder.report.exists()
    before = load_file(folder.bundle / "model.safetensors")
    resume(out)
    assert folder.is_complete()
    assert folder.report.exists()
    assert "This run is not complete" not in folder.report.read_text(encoding="utf-8")
    after = load_file(folder.bundle / "model.safetensors")
    assert all(after[name].equal(before[name]) for name in before)
    assert sorted(path.name for path in out.iterdir() if path.name.startswith(".")) == []


def test_a_complete_run_without_a_report_says_what_writes_it(folder):
    with pytest.raises(RunFolderError, match=r"there is nothing to resume; discern report .*run writes its report"):
        check_interrupted_run(folder)


def test_the_state_goes_at_once(folder):
    folder.state.mkdir()
    (folder.state / "state.safetensors").touch()
    (folder.state / "frozen-0.safetensors").touch()
    assert not folder.is_complete()
    folder.complete_run()
    assert folder.is_complete()
    assert not folder.state.exists()
    shutil.copytree(folder.bundle, folder.root / ".state-of-a-complete-run")  # killed within
    folder.begin_run()
    assert [path.name for path in folder.root.iterdir()] == ["photos"]


def test_a_run_that_is_being_written_is_neither_resumed_nor_replaced(photos, folder):
    with owning(folder.root, "discern train"):
        with pytest.raises(RunFolderError, match="is in use by discern train, process"):
            resume(folder.root)
        with pytest.raises(RunFolderError, match="is in use by discern train, process"):
            train(photos, out=folder.root, overwrite=True)
    assert folder.holds_run()


HOSTILE = ("", "[" * 100_000, '{"a":' * 100_000, "[]", "{}", "null", "1" * 5000, "a,b\n1,2\n", "\0")
READ = (
    "config.toml",
    "plan.json",
    "environment.json",
    "split.csv",
    "history.csv",
    "audit.json",
    "bundle/bundle.json",
    "evaluation/metrics.json",
    "evaluation/predictions.csv",
    "evaluation/per_class.csv",
    "evaluation/confusion.csv",
)


@pytest.mark.parametrize("name", READ)
def test_a_hostile_file_of_a_run_is_a_missing_part_of_its_report(folder, name):
    for text in HOSTILE:
        (folder.root / name).write_text(text)
        load_run_facts(folder)


@pytest.mark.parametrize("text", HOSTILE)
def test_verbs_refuse_hostile_files_by_name(folder, text):
    for name in READ:
        (folder.root / name).write_text(text)
    with pytest.raises(DiscernError, match=r"bundle\.json"):
        discern.load(folder.root)
    with pytest.raises(DiscernError, match=r"predictions\.csv"):
        diff(folder.root, folder.root, out=folder.root / "diff", verbose=False)
    with pytest.raises(RunFolderError, match="run"):
        resume(folder.root, verbose=False)
    for part, file in (("plan", "plan.json"), ("environment", "environment.json"), ("predictions", "predictions.csv")):
        if (part, text) != ("environment", "{}"):  # all of which may be missing
            with pytest.raises(DiscernError, match=file) as caught:
                getattr(Run(folder.root), part)
            assert len(str(caught.value)) < 1000


def test_a_run_is_named_after_its_source(tmp_path):
    names = {"photos/": "photos", "birds.tar.gz": "birds", "train.csv": "train", "labels/heap/labels.csv": "heap"}
    assert {source: name_source(tmp_path / source) for source in names} == names
    assert name_source([1, 2]) is None


def test_a_run_on_a_pattern_is_named_after_its_words(tmp_path):
    names = {
        "shards/train-{000..009}.tar": "train",
        "birds/{train,val}_{00..31}.tar": "train-val",
        "birds/{000..009}.tar": "birds",
        "big_birds-{0..9}-of-10.tar": "big_birds-of-10",
        "birds/{00..31}/*.tar.gz": "birds",
        "birds-2024/part-[0-9]*.tar": "part",
        "fünf Vögel-{0..4}.tar": "fünf-Vögel",
    }
    assert {source: name_source(tmp_path / source) for source in names} == names
    (tmp_path / "a {b}").mkdir()
    assert name_source(tmp_path / "a {b}") == "a {b}"
