"""`discern train` from the command line, as users run it; prints the validation accuracy and, if asked, epoch seconds.

From the command line discern may ask for huge pages, which it does not do when it is called from Python.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Train, and print one line of JSON; arguments that are not known here go to `discern train`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--per-epoch", action="store_true", help="time the epochs alone, without what comes before")
    options, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "discern", "train", *arguments, "--out", str(run)]
        subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - a command of our own
        metrics = json.loads((run / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
        with (run / "history.csv").open(newline="", encoding="utf-8") as file:
            seconds = [float(row["seconds"]) for row in csv.DictReader(file)]
    result = {"accuracy": metrics["validation"]["accuracy"]["value"]}
    if options.per_epoch:
        result["seconds"] = sum(seconds) / len(seconds)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
