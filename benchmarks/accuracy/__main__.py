"""Runs the comparison: python -m benchmarks.accuracy --data FOLDER --weights FILE --out FOLDER [SET...] [options].

What is done already is kept in the folder, so that it can be stopped and called again.
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
    """What the runs of a way gave on a set: right or not (S, N) for S seeds and N pictures, and seconds (S,)."""

    is_right: np.ndarray
    seconds: list[float]


def main() -> None:
    """Run what is missing, then print a row for every way and set and write results.csv."""
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
    """Run a way once, from a cold start, or return what an earlier call has kept of it."""
    kept = options.out / "runs" / f"{given.name}-{way.replace(' ', '-').replace(',', '')}-{seed}.json"
    if kept.is_file():
        told: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return told
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
    told = json.loads(done.stdout.strip().splitlines()[-1]) | {"seconds": seconds}
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(told), encoding="utf-8")
    print(f"{given.name}: {way}, seed {seed}: {told['accuracy']:.3f}, {seconds:.0f} s", file=sys.stderr, flush=True)
    return told


def gather(runs: list[dict[str, Any]]) -> Outcome:
    """Put the runs of a way side by side."""
    is_right = np.array([[float(answer) for answer in told["right"]] for told in runs])
    return Outcome(is_right, [told["seconds"] for told in runs])


def report(name: str, outcomes: dict[str, Outcome]) -> list[dict[str, object]]:
    """Return a row for each way, with the difference of ours to it, over common seeds and the same pictures."""
    rows: list[dict[str, object]] = []
    for way, outcome in outcomes.items():
        accuracy = estimate_accuracy(outcome.is_right)
        seeds, pictures = outcome.is_right.shape
        row: dict[str, object] = {
            "set": name,
            "way": way,
            "seeds": seeds,
            "pictures": pictures,
        }
        row |= {"accuracy": accuracy.value, "low": accuracy.low, "high": accuracy.high}
        row["seconds"] = median(outcome.seconds)
        if way != OURS and OURS in outcomes:
            common = min(seeds, len(outcomes[OURS].is_right))
            difference = outcomes[OURS].is_right[:common] - outcome.is_right[:common]
            row["verdict"] = describe_difference(OURS, way, estimate_mean(difference))
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
