"""Our training of all layers; prints the seconds of an epoch, with validation, and the best validation accuracy."""

import argparse
import json
import tempfile
from pathlib import Path

from discern.workflows.train import train


def main() -> None:
    """Train by the recipe `table`, which is one plain phase."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--frozen-batchnorm", choices=["auto", "false"], default="auto")
    options = parser.parse_args()
    overrides = [
        f"model.weights={options.weights}",
        f"epochs={options.epochs}",
        f"frozen_batchnorm={options.frozen_batchnorm}",
        # What the plain loop does to its pictures.
        'augment=[{name="RandomResizedCrop"}, {name="RandomHorizontalFlip"}]',
    ]
    with tempfile.TemporaryDirectory() as folder:
        run = train(options.data, out=Path(folder) / "run", recipe="table", overrides=overrides, verbose=False)
        history = run.history
    print(json.dumps({"seconds": history["seconds"].mean(), "accuracy": history["validation_accuracy"].max()}))


if __name__ == "__main__":
    main()
