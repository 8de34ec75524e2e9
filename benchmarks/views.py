"""How many augmented views a frozen backbone needs: python -m benchmarks.views --data FOLDER --weights FILE --out FILE.

Trains the head of `transfer` on the first 2, 3, 5 and 15 of the same 15 augmented views, and on one that is not
augmented, and adds a row to a CSV for each. Every seed has another split of the pictures that are not test pictures.
"""

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from sklearn.model_selection import train_test_split

from benchmarks.accuracy.sets import list_folders, unpack
from discern.config.load import load_settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.sources.load import load_table
from discern.engine.forward import predict_logits
from discern.engine.loop import run_epoch
from discern.planning.plan import Plan
from discern.planning.planner import plan_training
from discern.runtime import Runtime, choose_runtime, seed_everything
from discern.training.batches import TrainingData, build_training_data
from discern.training.phase import Phase
from discern.training.start import build_planned, load_start

EPOCHS = 15
AUGMENTED_VIEWS = (2, 3, 5, EPOCHS)
TRAIN_SHARE = 0.7
MAX_TRAIN, MAX_VALIDATION = 500, 800
SIZES = {"hymenoptera": 224, "aircraft_civil": 224, "flowers5": 128, "cifar10_small": 96}


def main() -> None:
    """Measure all sets, or those that are named, and write the rows as they are found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SIZES)}; all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--weights", type=Path, required=True, help="weights of timm's mobilenetv2_100, as safetensors")
    parser.add_argument("--out", type=Path, required=True, help="CSV file that rows are added to")
    parser.add_argument("--augment", help="another policy than that of the recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    with TemporaryDirectory() as folder, options.out.open("a", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        for seed in options.seeds:
            for name in options.sets or SIZES:
                table = draw_split(list_known(name, options.data, Path(folder)), seed)
                for measured in measure(name, table, seed, Path(folder) / "cache", options):
                    rows.writerow(measured)
                    file.flush()
                    print(*measured, flush=True)


def list_known(name: str, data: Path, work: Path) -> pd.DataFrame:
    """Return path and label of all pictures of a set that are not test pictures."""
    if name == "cifar10_small":
        table = unpack(data / f"{name}.npz", work / name)
    else:
        splits = [folder.name for folder in (data / name).iterdir() if folder.is_dir()]
        table = list_folders(data / name, dict(zip(splits, splits, strict=True)))
    return table.loc[table["split"] != "test", ["path", "label"]]


def draw_split(known: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a random part of the pictures as train and another as validation, stratified by class."""
    train = min(MAX_TRAIN, round(TRAIN_SHARE * len(known)))
    held_out = min(MAX_VALIDATION, len(known) - train)
    parts = train_test_split(
        known, train_size=train, test_size=held_out, random_state=seed, stratify=known["label"]
    )
    return pd.concat([part.assign(split=name) for part, name in zip(parts, ("train", "validation"), strict=True)])


def measure(
    name: str, pictures: pd.DataFrame, seed: int, cache: Path, options: argparse.Namespace
) -> list[tuple[object, ...]]:
    """Return for each number of views: set, seed, views, accuracy and loss of the kept epoch, seconds for features.

    One view is not augmented.
    """
    settings = load_settings(
        "transfer",
        [
            "model.backbone=timm:mobilenetv2_100",
            f"model.weights={options.weights}",
            f"data.image_size={SIZES[name]}",
            f"run.seed={seed}",
            "data.workers=0",
            f"epochs={EPOCHS}",
            *([] if options.augment is None else [f"augment={options.augment}"]),
        ],
    )
    runtime, table = choose_runtime(), load_table(pictures)
    plan = plan_training(settings, table, runtime, ArrayCache(cache, limit_bytes=int(5e9)))
    rows: list[tuple[object, ...]] = []
    with runtime.applied():
        data = replace(build_training_data(plan, table, runtime), cache=ArrayCache(cache, limit_bytes=int(5e9)))
        for stored in (1, EPOCHS):
            started = time.perf_counter()
            build_phase(plan, data, runtime, stored)
            seconds = time.perf_counter() - started
            for views in (1,) if stored == 1 else AUGMENTED_VIEWS:
                accuracy, loss = train(build_phase(plan, data, runtime, stored), views, data, runtime)
                rows.append((name, seed, views, f"{accuracy:.4f}", f"{loss:.4f}", f"{seconds:.0f}"))
    return rows


def build_phase(plan: Plan, data: TrainingData, runtime: Runtime, views: int) -> Phase:
    """Return the phase of the recipe with this many views; the features are in the cache from the second call on."""
    seed_everything(plan.seed)
    classifier = build_planned(plan, data.num_classes, runtime)
    load_start(plan, classifier)
    return Phase(plan.phases[0], plan.training, classifier, data, runtime, index=0, views=views)


def train(phase: Phase, views: int, data: TrainingData, runtime: Runtime) -> tuple[float, float]:
    """Train on the first of the views; return the best validation accuracy, and the lowest loss with it."""
    features, validation = phase.inputs.train_features, phase.inputs.validation
    assert features is not None and validation is not None
    batches, scores = data.build_train_loader_over(features[:views]), []
    for epoch in range(EPOCHS):
        phase.step.start_epoch(epoch)
        phase.evaluated.train()
        run_epoch(batches.batches(epoch), phase.step)
        _, found = predict_logits(phase.evaluated_network, validation.batches(), phase.inputs.prepare, runtime)
        scores.append((found.accuracy, -found.loss))
    accuracy, negative_loss = max(scores)
    return accuracy, -negative_loss


if __name__ == "__main__":
    main()
