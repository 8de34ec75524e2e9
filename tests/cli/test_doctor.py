import json

import pytest

import discern
from discern.cli import doctor
from discern.diagnosis.record import Diagnosis, Problem
from discern.errors import ConfigError


def test_the_version_is_told(run_cli):
    assert run_cli("--version") == (0, f"discern {discern.__version__}\n", "")


@pytest.mark.parametrize("problems", [(), (Problem(finding="it is slow", next_step="wait"),)])
def test_the_code_says_whether_something_needs_attention(run_cli, monkeypatch, problems):
    monkeypatch.setattr("discern.diagnosis.gather.find_problems", lambda _: problems)
    code, out, err = run_cli("doctor")
    assert (code, err) == (len(problems), "")
    assert ("needs attention: it is slow; wait" if problems else "All is well.") in out.splitlines()
    code, out, err = run_cli("doctor", "--json")
    assert (code, err) == (len(problems), "")
    assert Diagnosis.model_validate_json(out).packages["discern"] == discern.__version__
    assert len(json.loads(out)["problems"]) == len(problems)


def test_a_package_that_cannot_be_loaded_is_told_by_name(monkeypatch):
    def fail(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor, "import_module", fail)
    with pytest.raises(ConfigError, match=r"torchvision cannot be loaded \(operator torchvision::nms does not exist"):
        doctor.check_loading("torchvision")
