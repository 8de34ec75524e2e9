"""`discern train` with the recipe `auto`, and perhaps a budget."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.accuracy.network import BACKBONE
from benchmarks.accuracy.told import build_parser, tell


def main() -> None:
    """Train as a user does, and tell what the run's predictions say."""
    parser = build_parser()
    parser.add_argument("--budget")
    job = parser.parse_args()
    if job.weights is None:
        network = ["model.backbone=resnet18", "model.weights=none"]
    else:
        network = [f"model.backbone=timm:{BACKBONE}", f"model.weights={job.weights}"]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "discern", "train", str(job.table), "--out", str(run), *network]
        command += [f"data.image_size={job.image_size}", f"run.seed={job.seed}", f"run.device={job.device}"]
        command += [] if job.budget is None else ["--budget", job.budget]
        subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - a command of our own
        answers = pd.read_csv(run / "evaluation" / "predictions.csv", dtype=str, keep_default_na=False)
        validation = pd.read_csv(run / "history.csv")["validation_accuracy"].max()
    table = pd.read_csv(job.table)
    predicted = answers.set_index("path")["predicted"]
    test = table[table["split"] == "test"]
    tell(list(predicted.loc[list(test["path"])].to_numpy() == test["label"].to_numpy()), validation=float(validation))


if __name__ == "__main__":
    main()
