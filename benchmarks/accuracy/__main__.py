"""Runs the comparison: python -m benchmarks.accuracy --data FOLDER --weights FILE --out FOLDER [SET...] [options].

Results that are complete stay in the folder, so that a stopped comparison can be started again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.accuracy.sets import Set, build_sets
from discern.evaluation.seed_comparison import describe_difference, estimate_accuracy, estimate_mean

OURS = "auto"
SHORT = "auto, a sixth of the time"
MODULES = {
    "fastai": "fastai_way",
    "plain fine-tuning": "plain_way",
    "linear probe": "probe_way",
    OURS: "our_way",
    SHORT: "our_way",
}


class Outcome(NamedTuple):
    """Results of one way on a set: correct (1) or not (0), (S, N) for S seeds and N pictures; and seconds (S,)."""

    is_correct: np.ndarray
    seconds: list[float]


def main() -> None:
    """Run what is missing, print a row for every way and set, and write results.csv."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy")
    parser.add_argument("sets", nargs="*", metavar="SET", help="all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--weights", type=Path, required=True, help="weights of timm's mobilenetv2_100, as safetensors")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables and results")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", default=list(MODULES), choices=list(MODULES))
    options = parser.parse_args()
    rows = []
    for given in build_sets(options.data, options.out / "sets"):
        if options.sets and given.name not in options.sets:
            continue
        outcomes = {
            way: gather([run(way, given, seed, options) for seed in range(options.seeds)])
            for way in MODULES
            if way in options.ways and not (given.from_scratch and way == "linear probe")
        }
        rows += report(given.name, outcomes)
    table = pd.DataFrame(rows)
    table.to_csv(options.out / "results.csv", index=False)
    print(table.to_string(index=False, float_format="%.3f"))


def run(way: str, given: Set, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run a way once, from a cold start, or return the result that an earlier call has kept."""
    kept = options.out / "runs" / f"{given.name}-{way.replace(' ', '-').replace(',', '')}-{seed}.json"
    if kept.is_file():
        result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return result
    command = [sys.executable, "-m", f"benchmarks.accuracy.{MODULES[way]}", str(given.table)]
    command += ["--image-size", str(given.image_size), "--seed", str(seed)]
    command += [] if given.from_scratch else ["--weights", str(options.weights)]
    if way == SHORT:
        command += ["--budget", f"{run('fastai', given, 0, options)['seconds'] / 6:.0f}s"]
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - commands of our own
            command, capture_output=True, text=True, check=False, env={**os.environ, "DISCERN_HOME": home}
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{way} on {given.name} failed:\n{done.stderr[-2000:]}")
    result = json.loads(done.stdout.strip().splitlines()[-1]) | {"seconds": seconds}
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(result), encoding="utf-8")
    print(f"{given.name}: {way}, seed {seed}: {result['accuracy']:.3f}, {seconds:.0f} s", file=sys.stderr, flush=True)
    return result


def gather(runs: list[dict[str, Any]]) -> Outcome:
    """Put the runs of a way side by side."""
    is_correct = np.array([[float(one) for one in result["correct"]] for result in runs])
    return Outcome(is_correct, [result["seconds"] for result in runs])


def report(name: str, outcomes: dict[str, Outcome]) -> list[dict[str, object]]:
    """Return a row for each way, with the difference between ours and it, over the same seeds and pictures."""
    rows: list[dict[str, object]] = []
    for way, outcome in outcomes.items():
        accuracy = estimate_accuracy(outcome.is_correct)
        seeds, pictures = outcome.is_correct.shape
        row: dict[str, object] = {
            "set": name,
            "way": way,
            "seeds": seeds,
            "pictures": pictures,
        }
        row |= {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
        row["seconds"] = median(outcome.seconds)
        if way != OURS and OURS in outcomes:
            common = min(seeds, len(outcomes[OURS].is_correct))
            difference = outcomes[OURS].is_correct[:common] - outcome.is_correct[:common]
            row["verdict"] = describe_difference(OURS, way, estimate_mean(difference))
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
