"""A small share of the campaign, and what it counts as a failure."""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from benchmarks.soak.campaign import Round, run_part
from benchmarks.soak.commands import Done
from benchmarks.soak.mutations import mutate_bytes, mutate_json
from benchmarks.soak.sound import Sound, find_differences, find_other_answers

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_small_share_of_the_campaign_finds_nothing():
    command = [sys.executable, "-m", "benchmarks.soak", "--rounds", "1", "--scale", "0.02", "--seed", "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "the whole campaign: 0 failures"


def test_a_failure_names_the_command_that_runs_its_round_again(tmp_path, capsys):
    def part(sound, rng, work):
        return Round(Counter(tried=1), ["wrong"] * 2 if rng.random() < 0.5 else [])

    total = run_part("kills", part, Sound(tmp_path), first_seed=7, seconds=60, max_rounds=20)
    assert total.counts == {"tried": 20, "rounds": 20}
    assert 0 < len(total.failures) < 40
    failed = capsys.readouterr().out.splitlines()[1]
    again = run_part("kills", part, Sound(tmp_path), first_seed=int(failed.split()[6]), seconds=60, max_rounds=1)
    assert failed.startswith("  again: python -m benchmarks.soak kills --seed ")
    assert again.failures == ["wrong"] * 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("code", "err", "fault"),
    [
        (0, "", None),
        (2, "discern: no such file", None),
        (2, "", "exit code 2 without a word on stderr"),
        (3, "strange", "exit code 3: strange"),
        (-11, "", "exit code -11"),
        (1, "Traceback (most recent call last):\nValueError: x", "ValueError: x"),
    ],
)
def test_a_command_may_end_in_few_ways(code, err, fault):
    faults = Done(("train", "x"), code, "", err).find_faults()
    assert bool(faults) == (fault is not None)
    assert fault is None or fault in faults[0]


def test_answers_are_compared_by_file_one_row_each():
    expected = pd.DataFrame({"label": ["a", "b"], "confidence": [0.9, 0.8]}, index=["1.png", "2.png"])
    assert find_other_answers(expected, expected) == []
    assert find_other_answers(expected.iloc[[0, 1, 1]], expected) == ["2.png has 2 rows"]
    other = expected.assign(confidence=[0.9, float("nan")])
    assert find_other_answers(other, expected) == ["2.png is b nan instead of b 0.8000"]
    assert find_differences({"a": "1"}, {"a": "2", "b": "1"}) == ["other than uninterrupted: a, b"]


def test_damage_is_the_same_for_the_same_seed_and_always_damage():
    content, text = bytes(range(256)) * 4, json.dumps({"a": [1, 2], "b": {"c": None}})
    for seed in range(200):
        assert mutate_bytes(content, random.Random(seed)) == mutate_bytes(content, random.Random(seed))
        assert mutate_json(text, random.Random(seed)) == mutate_json(text, random.Random(seed))
    changed = [mutate_bytes(content, random.Random(seed)) != content for seed in range(200)]
    assert sum(changed) > 190
