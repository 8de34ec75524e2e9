"""`discern train` with the recipe `auto`, and a budget if one is given."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.accuracy.command_line import build_parser, print_result
from benchmarks.accuracy.sets import USUAL_SIZE


def main() -> None:
    """Train as a user does, and print the result on the test pictures, from the run's predictions.csv."""
    parser = build_parser()
    parser.add_argument("--budget")
    job = parser.parse_args()
    if job.weights is None:
        network = ["model.backbone=resnet18", "model.weights=none"]
    else:
        network = [f"model.backbone=timm:{job.network}", f"model.weights={job.weights}"]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "discern", "train", str(job.table), "--out", str(run), *network]
        # Small pictures are the same work for all ways; where others see the usual size, ours may choose another.
        command += [] if job.image_size == USUAL_SIZE else [f"data.image_size={job.image_size}"]
        command += [f"run.seed={job.seed}", f"run.device={job.device}"]
        command += [] if job.budget is None else ["--budget", job.budget]
        subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - a command of our own
        predictions = pd.read_csv(run / "evaluation" / "predictions.csv", dtype=str, keep_default_na=False)
    table = pd.read_csv(job.table)
    predicted = predictions.set_index("path")["predicted"]
    test = table[table["split"] == "test"]
    print_result(list(predicted.loc[list(test["path"])].to_numpy() == test["label"].to_numpy()))


if __name__ == "__main__":
    main()
