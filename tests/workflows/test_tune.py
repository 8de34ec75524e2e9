import json
import sqlite3
import time
from contextlib import closing
from datetime import datetime, timedelta

import pandas as pd
import pytest
import torch
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from PIL import Image
from safetensors.torch import save_file

from discern.config.duration import parse_duration
from discern.config.load import load_settings
from discern.errors import ConfigError, DataError, RunFolderError, WriteError
from discern.models.backbone import build_backbone
from discern.tuning.searchers import keeping_others_out, searching
from discern.tuning.space import Range, build_default_space, check_space, load_space
from discern.tuning.study import end_killed_trials, open_study, recording, tabulate_trials
from discern.tuning.trials import stop_in_time
from discern.workflows.tune import tune
from pictures import QUICK

SPACE = """
[space]
"training.phases.*.learning_rate" = {low = 1e-4, high = 1e-2, log = true}
"model.weights" = {choices = ["none", "/nowhere/weights.safetensors"]}
"""


def build_trial(state, value, now, *, seconds):
    return FrozenTrial(
        number=0,
        state=TrialState[state],
        value=value,
        datetime_start=now - timedelta(seconds=seconds),
        datetime_complete=now,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=0,
    )


def leave_running(study):
    """Begin a trial that does not end, as that of a killed process."""
    with pytest.warns(UserWarning, match="Heartbeat of storage is supposed to be used with"):
        study.ask()


@pytest.fixture(scope="module")
def searched(photos, tmp_path_factory):
    """A search of four trials, some of which fail."""
    place = tmp_path_factory.mktemp("tune")
    (place / "space.toml").write_text(SPACE)
    arguments = {
        "recipe": "table",
        "overrides": [*QUICK[:1], *QUICK[2:], "training.phases.*.epochs=2"],
        "space": place / "space.toml",
    }
    table = tune(photos, out=place / "out", trials=4, **arguments)
    return place / "out", arguments, table


def test_trials_are_listed_and_failures_stand_alone(searched):
    out, _, table = searched
    written = pd.read_csv(out / "trials.csv")
    assert len(written) == len(table) == 4
    failed = table[table["model.weights"] != "none"]
    assert (failed["state"] == "fail").all()
    assert failed["error"].str.contains("/nowhere/weights.safetensors").all()
    complete = table[table["state"] == "complete"]
    assert len(complete) >= 1
    for row in complete.itertuples():
        history = pd.read_csv(out / "trials" / f"{row.number:04d}" / "history.csv")
        assert row.value == pytest.approx(history["validation_accuracy"].max())


def test_trials_do_not_look_at_the_test_split_and_the_best_does_once(searched):
    out, _, table = searched
    for number in table[table["state"] == "complete"]["number"]:
        metrics = json.loads((out / "trials" / f"{number:04d}" / "evaluation" / "metrics.json").read_text())
        assert list(metrics) == ["validation"]
    metrics = json.loads((out / "best" / "evaluation" / "metrics.json").read_text())
    assert list(metrics) == ["validation", "test"]
    own, shared = (pd.read_csv(place / "split.csv")[["id", "label", "split"]] for place in (out / "best", out))
    pd.testing.assert_frame_equal(own, shared)


def test_the_best_trial_is_a_recipe_and_plots_are_drawn(searched):
    out, _, table = searched
    best = table.loc[table["value"].idxmax()]
    settings = load_settings(out / "best.toml")
    (phase,) = settings.training.phases
    assert phase.learning_rate == pytest.approx(best["training.phases.*.learning_rate"])
    assert json.loads((out / "best.json").read_text())["trial"] == best["number"]
    with Image.open(out / "history.png") as plot:
        assert min(plot.size) > 200


def test_asked_again_it_goes_on_and_does_not_wait_for_a_trial_that_was_killed(searched, photos, capsys):
    out, arguments, _ = searched
    leave_running(open_study("out", None, out, seed=0))
    table = tune(photos, out=str(out), trials=1, **arguments)
    written = capsys.readouterr().out
    assert "best: trial " in written
    assert "trained again with the best settings: test accuracy" in written
    assert list(table["number"]) == list(range(6))
    assert table["state"][4] == "fail"
    assert table["training.phases.*.learning_rate"].dropna().is_unique
    with pytest.raises(RunFolderError, match="holds another search, with another name, data or settings"):
        tune(photos, out=out, trials=1, **{**arguments, "recipe": "transfer"})


def test_what_was_ended_early_has_no_value_and_what_was_killed_no_duration(tmp_path):
    study = open_study("name", None, tmp_path, seed=0)
    now = datetime.now()
    study.add_trials(
        [
            build_trial("COMPLETE", 0.5, now, seconds=2),
            build_trial("PRUNED", 0.7, now, seconds=1),
            build_trial("FAIL", None, now, seconds=10**6),
        ]
    )
    table = tabulate_trials(study)
    assert list(table["value"].notna()) == [True, False, False]
    check = stop_in_time(time.monotonic(), 60)
    study.optimize(lambda trial: 0.1, n_trials=2, callbacks=[check])
    assert len(study.trials) == 5


def test_each_process_that_searches_proposes_trials_of_its_own(tmp_path):
    studies = [open_study("name", None, tmp_path, seed=0) for _ in range(2)]
    for study in studies:
        study.optimize(lambda trial: trial.suggest_float("rate", 0, 1), n_trials=3)
    assert len({trial.params["rate"] for trial in studies[0].trials}) == 6


def test_a_trial_of_a_process_that_still_searches_goes_on(tmp_path):
    study = open_study("name", None, tmp_path, seed=0)
    leave_running(study)
    with keeping_others_out(tmp_path) as is_alone:
        assert is_alone
    with searching(tmp_path), searching(tmp_path), keeping_others_out(tmp_path) as is_alone:
        assert not is_alone
        end_killed_trials(study, is_alone=is_alone)
    assert list(tabulate_trials(study)["state"]) == ["running"]
    assert not [path for path in tmp_path.iterdir() if path.name != "study.db"]


def test_a_budget_ends_the_search(photos, tmp_path):
    (tmp_path / "space.toml").write_text('[space]\n"learning_rate" = {low = 1e-3, high = 1e-2}\n')
    table = tune(
        photos, out=tmp_path / "out", recipe="table", overrides=QUICK, space=tmp_path / "space.toml", budget_seconds=1
    )
    assert len(table) == 1


def test_a_floor_that_is_the_same_in_all_trials_scores_none(photos, tmp_path):
    weights = tmp_path / "weights.safetensors"
    torch.manual_seed(0)
    save_file(build_backbone("resnet18-half").network.state_dict(), weights)
    overrides = [*QUICK, f"model.weights={weights}", "training.phases.fine-tune.epochs=1"]
    table = tune(photos, out=tmp_path / "out", recipe="auto", trials=1, overrides=overrides)
    history = pd.read_csv(tmp_path / "out" / "trials" / "0000" / "history.csv").set_index("phase")
    assert list(history.index) == ["probe", "fine-tune"]
    assert table["value"].item() == pytest.approx(history.loc["fine-tune", "validation_accuracy"])


def test_every_recipe_has_a_space_that_its_settings_allow():
    for recipe in ("auto", "transfer", "v4", "table"):
        space = build_default_space(load_settings(recipe))
        check_space(space, recipe, [])
        assert any(name.endswith("learning_rate") for name in space)


def test_from_scratch_the_rate_is_searched_about_that_of_muon_and_does_not_fall_towards_the_stem():
    name = "training.phases.fine-tune"
    space = build_default_space(load_settings("auto", ["model.weights=none"]))
    assert space[f"{name}.learning_rate"] == Range(low=2.5e-4, high=1.6e-2, log=True)
    of_pretrained = {f"{name}.{setting}" for setting in ("layer_decay", "proportional_rates", "initial_share")}
    assert not of_pretrained & set(space)
    assert of_pretrained < set(build_default_space(load_settings("auto", ["model.weights=weights.safetensors"])))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("space = 3", r"not understood: space\. In \[space\] write"),
        ('[space]\n"learning_rate" = {low = 2, high = 1}', r"not understood: space\.learning_rate"),
        ('[space]\n"learning_rate" = {choices = [1e-3]}', r"not understood: space\.learning_rate"),
        ("[space", "not readable as TOML"),
    ],
)
def test_a_space_that_is_not_understood_is_reported(text, message, tmp_path):
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_space(tmp_path / "space.toml")


def test_a_space_that_is_not_there_is_said_in_words(tmp_path):
    with pytest.raises(ConfigError, match=r"space\.toml: cannot be read: No such file or directory$"):
        load_space(tmp_path / "space.toml")


def test_a_space_of_settings_that_do_not_exist_is_told_before_the_first_trial(photos, tmp_path):
    (tmp_path / "space.toml").write_text('[space]\n"learning_rat" = {low = 1e-3, high = 1e-2}\n')
    with pytest.raises(ConfigError, match="unknown setting 'learning_rat': did you mean"):
        tune(photos, out=tmp_path / "out", space=tmp_path / "space.toml")
    assert not (tmp_path / "out").exists()


def test_without_validation_nothing_can_be_searched(photos, tmp_path):
    with pytest.raises(DataError, match="compared on a validation split, and there is none"):
        tune(photos, out=tmp_path / "out", overrides=["data.split=[0.7, 0.0, 0.3]"])


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("1.5h", 5400), ("1h30m", 5400), ("2 h", 7200)]
)
def test_durations_are_read_as_people_write_them(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "0s", "10x", "-5m"])
def test_what_is_no_duration_is_reported(text):
    with pytest.raises(ConfigError, match=r"is not a duration; write 30s, 10m, 2h or 1h30m"):
        parse_duration(text)


def write_on_full_disk():
    """Fail as Optuna does when SQLite finds no room."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("PRAGMA max_page_count = 1")
        try:
            database.execute("CREATE TABLE trials (number)")
        except sqlite3.OperationalError as full:
            raise StorageInternalError("the commit failed\nwith details") from full


def test_a_database_on_a_full_disk_is_told_in_one_line_with_its_file(tmp_path):
    with pytest.raises(WriteError) as caught, recording(tmp_path, None):
        write_on_full_disk()
    assert str(caught.value).startswith(f"{tmp_path / 'study.db'} cannot be written: the disk is full; ")
    assert "\n" not in str(caught.value)
