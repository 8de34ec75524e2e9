"""Runs the whole program on drawn pictures, without data or internet."""

import logging
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from discern.console import build_console
from discern.demo import DEMO_TYPES, PRETRAINED_WEIGHTS, draw_dataset
from discern.errors import OUT, OVERWRITE, RunFolderError
from discern.percent import percent
from discern.reports.run import Run
from discern.workflows.predict import predict
from discern.workflows.train import train

logger = logging.getLogger("discern")

IMAGES_PER_CLASS = 80
NEW_IMAGES_PER_CLASS = 2
IMAGE_SIZE = 96


class DemoRun(NamedTuple):
    """One way of training, by overrides of the demo recipe."""

    name: str
    description: str
    overrides: tuple[str, ...]


def run_demo(out: Path, *, seed: int, overwrite: bool) -> dict[str, Run]:
    """Draw aircraft, train in three ways, predict new pictures, and print the results.

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
    runs = {}
    for way in _list_ways():
        console.print(f"\n{way.name}: {way.description}", style="bold")
        overrides = [*way.overrides, f"run.seed={seed}"]
        runs[way.name] = train(photos, out=out / way.name, recipe="demo", overrides=overrides, overwrite=overwrite)
    answers = predict(out / "fine-tuned", [str(new_photos)], out=out / "predictions.csv", verbose=False)
    true_names = [Path(path).parent.name for path in answers.frame["path"]]
    right = int((answers.frame["label"] == true_names).sum())
    _print_results(console, out, runs, right, len(answers.frame))
    return runs


def _list_ways() -> list[DemoRun]:
    pretrained = f"model.weights={PRETRAINED_WEIGHTS}"
    return [
        DemoRun(
            "frozen",
            "the backbone, pretrained on other aircraft, is frozen; only the head is trained",
            (pretrained, 'training.phases.all.train=["head"]'),
        ),
        DemoRun("fine-tuned", "first the head is trained, then all layers", (pretrained,)),
        DemoRun(
            "scratch",
            "the same network and epochs without pretraining",
            (
                "model.weights=none",
                "training.phases.head.train=all",
                "training.phases.all.learning_rate=2e-3",
                "training.phases.head.name=first",
            ),
        ),
    ]


def _print_results(console: Console, out: Path, runs: dict[str, Run], right: int, count: int) -> None:
    console.print("\nOn test pictures that no run has seen:", style="bold")
    for name, run in runs.items():
        accuracy = run.metrics["test"].accuracy
        interval = f"95 % interval {percent(accuracy.low)} to {percent(accuracy.high)}"
        console.print(f"  {name:<11} accuracy {percent(accuracy.value)}  ({interval})")
    frozen, tuned = (runs[name].metrics["test"].accuracy for name in ("frozen", "fine-tuned"))
    if frozen.low < tuned.high and tuned.low < frozen.high:
        console.print("  The first two intervals overlap: there are too few test pictures to say which is better.")
    console.print(f"\n{count} new pictures classified, {right} of them correctly: {out / 'predictions.csv'}")
    best = runs["fine-tuned"].folder
    console.print(f"Open {best.report} in a browser, and see {best.plots / 'curves.png'} and the other plots there.")
    console.print("Next, with your own pictures, one folder per class: discern train FOLDER --out runs/mine")
