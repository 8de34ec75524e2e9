"""Compares the order in which discern label asks with a random one.

python -m benchmarks.labelling --data FOLDER --weights NAME=FILE... --out FOLDER [SET...]
Features and results stay in that folder; what is there is not computed again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.accuracy.sets import build_sets
from benchmarks.labelling.features import load_set
from benchmarks.labelling.simulation import (
    Simulated,
    divide,
    find_needed,
    measure,
    measure_all,
    order_as_asked,
    order_at_random,
)
from discern.evaluation.seed_comparison import estimate_mean

ORDERS = (order_as_asked, order_at_random)
Curves = Sequence[dict[int, NDArray[np.float64]]]
COUNTS = (50, 100, 200, 400)
MARGIN = 0.02
FIRST_SEED = 10
"""What to ask was chosen with the seeds below it."""


def main() -> None:
    """Print a table of accuracies and one of labels needed, and write them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labelling")
    parser.add_argument("sets", nargs="*", metavar="SET", help="all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--weights", nargs="+", required=True, metavar="NAME=FILE", help="networks, safetensors")
    parser.add_argument("--out", type=Path, required=True, help="folder for features and results")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    accuracies, needed = [], []
    for given in build_sets(options.data, options.out / "sets"):
        if given.from_scratch or (options.sets and given.name not in options.sets):
            continue
        for network, weights in (pair.split("=", 1) for pair in options.weights):
            simulated = divide(load_set(given.name, given.table, network, Path(weights), options.out))
            seeds = range(FIRST_SEED, FIRST_SEED + options.seeds)
            asked, drawn = ([measure(simulated, order, seed) for seed in seeds] for order in ORDERS)
            place = {"set": given.name, "network": network}
            accuracies += [place | row for row in compare_accuracies(asked, drawn)]
            needed.append(place | compare_needed(simulated, asked, drawn))
            print(pd.DataFrame([row for row in accuracies if row["set"] == given.name]).to_string(index=False))
            print(pd.DataFrame(needed).to_string(index=False), flush=True)
    pd.DataFrame(accuracies).to_csv(options.out / "accuracies.csv", index=False)
    pd.DataFrame(needed).to_csv(options.out / "needed.csv", index=False)


def compare_accuracies(asked: Curves, drawn: Curves) -> list[dict[str, object]]:
    """Return a row for each number of labels: the accuracies of both orders, and their difference with its interval."""
    rows = []
    for count in COUNTS:
        if all(count in curve for curve in (*asked, *drawn)):
            first, second = (np.stack([curve[count] for curve in curves]) for curves in (asked, drawn))
            difference = estimate_mean(first - second)
            accuracies = {"asked": first.mean(), "random": second.mean(), "spread": second.mean(axis=1).std(ddof=1)}
            ends = dict(zip(("difference", "low", "high"), difference, strict=True))
            rounded = {name: round(float(value), 3) for name, value in (accuracies | ends).items()}
            rows.append({"labels": count, **rounded})
    return rows


def compare_needed(simulated: Simulated, asked: Curves, drawn: Curves) -> dict[str, object]:
    """Return how many labels each order needs for the accuracy of all labels less two points, by seed."""
    accuracy = measure_all(simulated)
    found = {"asked": find_needed(asked, accuracy - MARGIN), "random": find_needed(drawn, accuracy - MARGIN)}
    medians = {f"{name} median": median(np.inf if one is None else one for one in some) for name, some in found.items()}
    return {"pool": len(simulated.pool), "all": round(accuracy, 3), **found, **medians}


if __name__ == "__main__":
    main()
