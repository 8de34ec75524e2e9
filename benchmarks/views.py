"""How many augmented views a frozen backbone needs: python -m benchmarks.views --data FOLDER --weights FILE --out FILE.

Trains the head of `transfer` on the first 2, 3, 5 and 15 of the same 15 augmented views, and on one that is not
augmented, and adds a row to a CSV for each. Every seed has another split of the pictures that are not test pictures.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
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
LAST = 5
AUGMENTED_VIEWS = (2, 3, 5, EPOCHS)
TRAIN_SHARE = 0.7
MAX_TRAIN, MAX_VALIDATION = 500, 800
CACHE_BYTES = 10 * 2**30
Row = tuple[str, int, int, float, float, float]
SIZES = {"hymenoptera": 224, "aircraft_civil": 224, "flowers5": 128, "cifar10_small": 96}


def main() -> None:
    """Measure all sets, or those that are named, and write the rows as they are found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.views")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SIZES)}; all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--weights", type=Path, required=True, help="weights of timm's mobilenetv2_100, as safetensors")
    parser.add_argument("--out", type=Path, required=True, help="CSV file that rows are added to")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    with TemporaryDirectory() as folder, options.out.open("a", newline="", encoding="utf-8") as file:
        rows, cache = csv.writer(file), ArrayCache(Path(folder) / "cache", limit_bytes=CACHE_BYTES)
        for seed in options.seeds:
            for name in options.sets or SIZES:
                table = draw_split(list_known(name, options.data, Path(folder)), seed)
                for row in measure(name, table, seed, cache, options.weights):
                    rows.writerow(row)
                    file.flush()
                    print(*row, flush=True)


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
    parts = train_test_split(known, train_size=train, test_size=held_out, random_state=seed, stratify=known["label"])
    return pd.concat([part.assign(split=name) for part, name in zip(parts, ("train", "validation"), strict=True)])


def measure(name: str, pictures: pd.DataFrame, seed: int, cache: ArrayCache, weights: Path) -> Iterator[Row]:
    """Yield a row for each number of views: set, seed, views (1 is not augmented) and what `train` returns."""
    runtime, table = choose_runtime(), load_table(pictures)
    for stored, compared in ((1, (1,)), (EPOCHS, AUGMENTED_VIEWS)):
        overrides = [
            "model.backbone=timm:mobilenetv2_100",
            f"model.weights={weights}",
            f"data.image_size={SIZES[name]}",
            f"run.seed={seed}",
            f"epochs={EPOCHS}",
            f"cache.views={stored}",
        ]
        plan = plan_training(load_settings("transfer", overrides), table, runtime, cache)
        with runtime.applied():
            data = build_training_data(plan, table, runtime)
            for views in compared:
                yield name, seed, views, *train(build_phase(plan, data, runtime), views, data, runtime)


def build_phase(plan: Plan, data: TrainingData, runtime: Runtime) -> Phase:
    """Return the phase of the recipe; its features are in the cache from the second call on."""
    seed_everything(plan.seed)
    classifier = build_planned(plan, data.num_classes, runtime)
    load_start(plan, classifier, data.train.class_names)
    return Phase(plan.phases[0], plan.training, classifier, data, runtime, index=0)


def train(phase: Phase, views: int, data: TrainingData, runtime: Runtime) -> tuple[float, float, float]:
    """Train on the first of the views; return accuracy and loss of the kept epoch, and the last epochs' mean accuracy.

    All of them are of the validation pictures. The kept epoch is the luckiest of all, which the mean is not.
    """
    features, validation = phase.inputs.train_features, phase.inputs.validation
    assert features is not None
    assert validation is not None
    batches, scores = data.build_train_loader_over(features[:views]), []
    for epoch in range(EPOCHS):
        phase.step.start_epoch(epoch)
        phase.evaluated.train()
        run_epoch(batches.batches(epoch), phase.step)
        _, found = predict_logits(phase.evaluated_network, validation.batches(), phase.inputs.prepare, runtime)
        scores.append((found.accuracy, -found.loss))
    accuracy, negative_loss = max(scores)
    last = mean(accuracy for accuracy, _ in scores[-LAST:])
    return round(accuracy, 4), round(-negative_loss, 4), round(last, 4)


if __name__ == "__main__":
    main()
