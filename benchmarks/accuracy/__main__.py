"""Runs the comparison: python -m benchmarks.accuracy --data FOLDER --weights NAME=FILE... --out FOLDER [SET...].

Each run adds a row to runs.csv beside this file, or to --runs, and what is there is not run again: a stopped comparison
can go on, and the table can grow over days and machines. Seconds are compared on one machine only.
"""

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.accuracy.machine import describe_machine
from benchmarks.accuracy.sets import Set, build_sets
from discern.evaluation.seed_comparison import describe_difference, estimate_accuracy, estimate_mean

OURS, FASTAI, PROBE = "auto", "fastai", "linear probe"
BUDGETS = {"auto, a third of the time": 3, "auto, a sixth of the time": 6}
"""Ways with a budget, and what part of fastai's time it is: of its first seed, with the same network and pictures."""
MODULES = {
    FASTAI: "fastai_way",
    "plain fine-tuning": "plain_way",
    PROBE: "probe_way",
    OURS: "our_way",
    **dict.fromkeys(BUDGETS, "our_way"),
}
SCRATCH = "resnet18, from scratch"
COLUMNS = ("set", "network", "way", "seed", "accuracy", "machine", "seconds", "correct")


class Job(NamedTuple):
    """One run: a way of training a network on a set."""

    given: Set
    network: str
    way: str
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from other runs."""
        return self.given.name, self.network, self.way, self.seed


class Result(NamedTuple):
    """Where it ran, the seconds from a cold start, and for each test picture whether it was right: 1 or 0."""

    machine: str
    seconds: float
    correct: str


def main() -> None:
    """Run what is missing, and print a row for every set, network and way."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy")
    parser.add_argument("sets", nargs="*", metavar="SET", help="all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument(
        "--weights", nargs="+", required=True, metavar="NAME=FILE", help="networks of timm, safetensors"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables of the sets, and the results")
    parser.add_argument("--runs", type=Path, default=Path(__file__).with_name("runs.csv"), help="what has run so far")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", default=list(MODULES), choices=list(MODULES))
    options = parser.parse_args()
    weights = {name: Path(path) for name, path in (pair.split("=", 1) for pair in options.weights)}
    runs = Runs(options.runs, weights, describe_machine())
    rows = []
    for given in build_sets(options.data, options.out / "sets"):
        if options.sets and given.name not in options.sets:
            continue
        for network in [SCRATCH] if given.from_scratch else weights:
            ways = [way for way in options.ways if not (given.from_scratch and way == PROBE)]
            found = {way: [runs.get(Job(given, network, way, seed)) for seed in range(options.seeds)] for way in ways}
            rows += report(given.name, network, found)
    table = pd.DataFrame(rows)
    table.to_csv(options.out / "results.csv", index=False)
    print(table.to_string(index=False, float_format="%.3f"))


class Runs:
    """The results of all runs so far, in a CSV file; what is not in it is run.

    Args:
        path: The file.
        weights: The file of weights of each network.
        machine: What this machine is called in the file.
    """

    def __init__(self, path: Path, weights: dict[str, Path], machine: str) -> None:
        self._path, self._weights, self._machine = path, weights, machine
        self._results: dict[tuple[str, str, str, int], list[Result]] = {}
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    key = row["set"], row["network"], row["way"], int(row["seed"])
                    result = Result(row["machine"], float(row["seconds"]), row["correct"])
                    self._results.setdefault(key, []).append(result)

    def get(self, job: Job, *, here: bool = False) -> Result:
        """Return the first result of a run, of this machine if its seconds are wanted `here`; each is kept."""
        known = self._results.setdefault(job.key, [])
        found = next((one for one in known if not here or one.machine == self._machine), None)
        if found is None:
            found = self._run(job)
            known.append(found)
            self._append(job, found)
        return found

    def _run(self, job: Job) -> Result:
        """Run a way once, from a cold start."""
        command = [sys.executable, "-m", f"benchmarks.accuracy.{MODULES[job.way]}", str(job.given.table)]
        command += ["--image-size", str(job.given.image_size), "--seed", str(job.seed)]
        if not job.given.from_scratch:
            command += ["--network", job.network, "--weights", str(self._weights[job.network])]
        if job.way in BUDGETS:
            whole = self.get(job._replace(way=FASTAI, seed=0), here=True).seconds
            command += ["--budget", f"{whole / BUDGETS[job.way]:.0f}s"]
        with tempfile.TemporaryDirectory() as home:
            started = time.perf_counter()
            done = subprocess.run(  # noqa: S603 - commands of our own
                command, capture_output=True, text=True, check=False, env={**os.environ, "DISCERN_HOME": home}
            )
            seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{', '.join(map(str, job.key))} failed:\n{done.stderr[-2000:]}")
        return Result(self._machine, round(seconds, 1), json.loads(done.stdout.strip().splitlines()[-1])["correct"])

    def _append(self, job: Job, result: Result) -> None:
        accuracy = result.correct.count("1") / len(result.correct)
        is_new = not self._path.exists()
        with self._path.open("a", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            if is_new:
                rows.writerow(COLUMNS)
            rows.writerow([*job.key, round(accuracy, 4), *result])
        print(f"{', '.join(map(str, job.key))}: {accuracy:.3f}, {result.seconds:.0f} s", file=sys.stderr, flush=True)


def report(name: str, network: str, found: dict[str, Sequence[Result]]) -> list[dict[str, object]]:
    """Return a row for each way, with the difference between ours and it, over the same seeds and pictures."""
    correct = {
        way: np.array([[float(one) for one in result.correct] for result in results]) for way, results in found.items()
    }
    rows: list[dict[str, object]] = []
    for way, is_correct in correct.items():
        accuracy = estimate_accuracy(is_correct)
        row: dict[str, object] = {"set": name, "network": network, "way": way}
        row |= dict(zip(("seeds", "pictures"), is_correct.shape, strict=True))
        row |= {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
        row["seconds"] = median(result.seconds for result in found[way])
        row["of fastai's time"] = compare_seconds(found[way], found.get(FASTAI, ()))
        if way != OURS and OURS in correct:
            row["verdict"] = describe_difference(OURS, way, estimate_mean(correct[OURS] - is_correct))
        rows.append(row)
    return rows


def compare_seconds(results: Sequence[Result], others: Sequence[Result]) -> float:
    """Return the median ratio of seconds, over the seeds that ran on the same machine both ways; NaN without any."""
    ratios = [one.seconds / other.seconds for one, other in zip(results, others) if one.machine == other.machine]  # noqa: B905 - there may be no others
    return median(ratios) if ratios else math.nan


if __name__ == "__main__":
    main()
