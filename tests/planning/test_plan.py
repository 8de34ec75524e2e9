import json

import pytest

from discern.errors import RunFolderError
from discern.files import compute_sha256
from discern.planning.plan import TrainingPlan, check_sealed, load_plan, save_plan
from saved_runs import build_plan


@pytest.fixture
def path(tmp_path):
    (tmp_path / "config.toml").write_text("seed = 3\n")
    save_plan(build_plan(), tmp_path / "plan.json", sealed={"config.toml": compute_sha256(tmp_path / "config.toml")})
    return tmp_path / "plan.json"


def test_a_plan_survives_a_round_trip(path):
    assert load_plan(path) == build_plan()
    check_sealed(path)


@pytest.mark.parametrize("change", [{"seed": 4}, {"checksum": None}, {"sealed": {}}, {"format": 3}, {"more": 1}])
def test_an_edited_plan_is_refused_by_name(path, change):
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    for load in (load_plan, check_sealed):
        with pytest.raises(RunFolderError, match=r"plan.json was changed after the run was started, or is damaged: .*"):
            load(path)


def test_edited_settings_are_refused_by_name(path):
    for edit in (lambda: path.with_name("config.toml").write_text("seed = 4\n"), path.with_name("config.toml").unlink):
        edit()
        with pytest.raises(
            RunFolderError, match=r"config.toml was changed or removed after the run was started; restore"
        ):
            check_sealed(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100_000, '{"a":' * 100_000, "1" * 5000, '{"format": 1}', "\0"])
def test_hostile_plans_are_refused_by_name(path, text):
    path.write_text(text)
    with pytest.raises(RunFolderError, match=r"plan.json (is|was) .*start again with overwrite=True") as caught:
        load_plan(path)
    assert len(str(caught.value)) < 700


def test_the_plan_of_an_older_version_with_tensorboard_is_read():
    assert TrainingPlan.model_validate({"batch_size": 8, "tensorboard": True}).trackers == ("tensorboard",)
    assert TrainingPlan.model_validate({"batch_size": 8, "tensorboard": False}).trackers == ()
