"""Our recipe `transfer` with a network of timm; prints the best validation accuracy."""

import argparse
import json
import tempfile
from pathlib import Path

from discern.workflows.train import train


def main() -> None:
    """Train from a cold start, as the command line does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--backbone", required=True)
    options = parser.parse_args()
    overrides = [f"model.weights={options.weights}", f"model.backbone=timm:{options.backbone}"]
    with tempfile.TemporaryDirectory() as folder:
        run = train(options.data, out=Path(folder) / "run", recipe="transfer", overrides=overrides, verbose=False)
        accuracy = run.metrics["validation"].accuracy.value
    print(json.dumps({"accuracy": accuracy}))


if __name__ == "__main__":
    main()
