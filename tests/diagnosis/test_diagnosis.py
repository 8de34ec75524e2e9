import pytest

from discern.diagnosis import gather
from discern.diagnosis.gather import describe_folder, diagnose, find_extras
from discern.diagnosis.problems import find_problems


@pytest.fixture(scope="module")
def found():
    return diagnose()


def test_extras_are_read_from_what_the_distribution_requires():
    requirements = [
        "numpy>=2.0",
        "pillow>=11; extra == 'heif'",
        "numpy>=2.0; python_version < '4' and extra == 'serve'",
        'no-such-package; extra == "serve"',
        "ruff; extra == 'dev'",
    ]
    assert find_extras(requirements) == {"heif": True, "serve": False}


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    facts = describe_folder("DISCERN_HOME", tmp_path / "a" / "b")
    assert (facts.path, facts.is_writable) == ("~/a/b", True)
    assert facts.free_bytes > 0
    assert not (tmp_path / "a").exists()
    assert not describe_folder("DISCERN_HOME", gather.Path("/proc/discern")).is_writable


def test_all_facts_are_described_and_nothing_is_wrong_where_nothing_is(found):
    lines = list(found.model_copy(update={"problems": ()}).describe())
    assert lines[0].startswith("system ")
    assert any(line.startswith("DISCERN_HOME") for line in lines)
    assert "All is well." in lines
    assert "config.toml, plan.json and log.txt" in " ".join(lines)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"has_nvidia_gpu": True, "torch_cuda": None}, "was built for CPUs only; install torch"),
        ({"has_nvidia_gpu": True, "torch_cuda": "13.0"}, "built for CUDA 13.0, cannot use it; run nvidia-smi"),
        ({"memory_bytes": 2**29}, "only 512.0 MiB of memory are free; close other programs"),
        ({"shared_memory_bytes": 2**26, "cores": 8}, "only 64.0 MiB, so that pictures are read by one process alone"),
    ],
)
def test_what_needs_attention_is_told_with_the_step_to_take(found, changed, expected):
    well = {"device": "cpu", "has_nvidia_gpu": False, "memory_bytes": 2**33, "shared_memory_bytes": 2**33}
    folders = tuple(one.model_copy(update={"is_writable": True, "free_bytes": 2**40}) for one in found.folders)
    healthy = found.model_copy(
        update={"machine": found.machine.model_copy(update=well), "folders": folders, "problems": ()}
    )
    assert find_problems(healthy) == ()
    ill = healthy.model_copy(update={"machine": healthy.machine.model_copy(update=changed)})
    (problem,) = find_problems(ill)
    assert expected in problem.describe()
    assert problem.describe() in ill.model_copy(update={"problems": (problem,)}).describe()


def test_folders_that_cannot_be_used_are_told_by_their_variables(found):
    read_only = found.folders[0].model_copy(update={"is_writable": False})
    full = found.folders[1].model_copy(update={"is_writable": True, "free_bytes": 2**20})
    problems = [one.describe() for one in find_problems(found.model_copy(update={"folders": (read_only, full)}))]
    assert "set the variable DISCERN_HOME to a folder of yours" in problems[-2]
    assert "or set HF_HOME to another disk" in problems[-1]
