"""Runs the whole program on drawn pictures, without data or internet."""

from pathlib import Path

import pandas as pd
from rich.console import Console

from discern.console import build_console
from discern.counts import count_of
from discern.demo import DEMO_TYPES, PRETRAINED_WEIGHTS, draw_dataset
from discern.errors import OUT, OVERWRITE, RunFolderError
from discern.percent import percent
from discern.reports.run import Run
from discern.workflows.predict import predict
from discern.workflows.train import train

IMAGES_PER_CLASS = 120
NEW_IMAGES_PER_CLASS = 2
IMAGE_SIZE = 96


def run_demo(out: Path, *, seed: int, overwrite: bool) -> dict[str, Run]:
    """Draw aircraft, train with and without pretrained weights, predict new pictures, and print the results.

    Raises:
        RunFolderError: `out` is not empty and `overwrite` is false.
    """
    console = build_console()
    photos, new_photos = out / "photos", out / "new_photos"
    if out.exists() and any(out.iterdir()) and not overwrite:
        raise RunFolderError(
            f"{out} is not empty; give another ", OUT, ", or ", OVERWRITE, " to replace an earlier demo"
        )
    console.print(f"drawing {len(DEMO_TYPES)} types of aircraft, {IMAGES_PER_CLASS} pictures each: {photos}")
    draw_dataset(photos, DEMO_TYPES, images_per_class=IMAGES_PER_CLASS, size=IMAGE_SIZE, seed=seed)
    draw_dataset(new_photos, DEMO_TYPES, images_per_class=NEW_IMAGES_PER_CLASS, size=IMAGE_SIZE, seed=seed + 1)

    def train_from(weights: str | Path, name: str, *overrides: str) -> Run:
        asked = [f"model.weights={weights}", f"run.seed={seed}", *overrides]
        return train(photos, out=out / name, recipe="demo", overrides=asked, overwrite=overwrite)

    console.print("\npretrained: the network has learnt to see on other types of aircraft", style="bold")
    pretrained = train_from(PRETRAINED_WEIGHTS, "pretrained")
    epochs = pretrained.plan.phases[-1].epochs
    console.print(
        f"\nscratch: the same network, which begins with random weights, for the same {count_of(epochs, 'epoch')}",
        style="bold",
    )
    scratch = train_from("none", "scratch", f"epochs={epochs}")
    answers = predict(out / "pretrained", [str(new_photos)], out=out / "predictions.csv", verbose=False)
    runs = {"pretrained": pretrained, "scratch": scratch}
    _print_results(console, runs, answers.frame, out)
    return runs


def _print_results(console: Console, runs: dict[str, Run], answers: pd.DataFrame, out: Path) -> None:
    console.print("\nOn test pictures that no run has seen:", style="bold")
    for name, run in runs.items():
        metrics = run.metrics["test"]
        interval = f"95 % interval {percent(metrics.accuracy.low)} to {percent(metrics.accuracy.high)}"
        console.print(f"  {name:<11} accuracy {percent(metrics.accuracy.value)} of {metrics.count}  ({interval})")
    true_names = [Path(path).parent.name for path in answers["path"]]
    right = int((answers["label"] == true_names).sum())
    console.print(f"\n{len(answers)} new pictures classified, {right} of them correctly: {out / 'predictions.csv'}")
    console.print(f"How sure is the difference: discern diff {out / 'pretrained'} {out / 'scratch'}")
    console.print(f"All of it on one page, with pictures that are mistaken: {runs['pretrained'].folder.report}")
    console.print("Next, with your own pictures, one folder per class: discern train FOLDER --out runs/mine")
