"""Run folders as training leaves them, without a training."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from discern.config.load import load_settings, save_settings
from discern.data.reading.preprocess import Preprocess
from discern.environment import RUN_FORMAT, Environment
from discern.evaluation.metrics import compute_metrics, save_metrics
from discern.evaluation.predictions import build_predictions, tabulate_predictions
from discern.evaluation.tables import compute_confusion, compute_per_class
from discern.models.architecture import Architecture
from discern.planning.plan import MachinePlan, PhasePlan, Plan, ReadingPlan, TrainingPlan, save_plan
from discern.predictor.record import TrainingRecord
from discern.run_folder import RunFolder
from pictures import draw_photo

HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "it's & 'quoted' \"twice\"",
    "long" * 60,
    "‮right to left‬ עברית العربية",
    "🛩️ emoji",
    "{{ 7 * 7 }} {% raw %}",
    "]]></style></svg><svg onload=alert(3)>",
)


def make_run(
    root: Path, class_names: Sequence[str], *, per_class: int = 6, accuracy: float = 0.7, seed: int = 0
) -> Path:
    """Write the folder of a run whose classifier is right as often as `accuracy` says, in the mean."""
    folder, rng = RunFolder(root), np.random.default_rng(seed)
    folder.evaluation.mkdir(parents=True)
    folder.bundle.mkdir()
    frames, metrics = [], {}
    for split in ("validation", "test"):
        targets, probabilities = _answer(len(class_names), per_class, accuracy, rng)
        ids = [f"{split}/{number}-{class_names[target]}.png" for number, target in enumerate(targets)]
        paths = [""] * len(ids)
        made = build_predictions(ids, paths, targets, probabilities, class_names, split=split)
        frames.append(tabulate_predictions(made))
        metrics[split] = compute_metrics(targets, probabilities, class_names)
    predictions = pd.concat(frames, ignore_index=True)
    predictions["path"] = _draw_pictures(root / "photos", len(predictions))
    predictions.to_csv(folder.evaluation / "predictions.csv", index=False, float_format="%.6g")
    compute_per_class(targets, probabilities, class_names).to_csv(folder.evaluation / "per_class.csv", index=False)
    confusion = compute_confusion(targets, probabilities.argmax(axis=1), class_names)
    confusion.to_csv(folder.evaluation / "confusion.csv", index_label="true \\ predicted")
    save_metrics(metrics, folder.evaluation / "metrics.json")
    _write_rest(folder, class_names, per_class)
    return root


def _answer(num_classes: int, per_class: int, accuracy: float, rng: np.random.Generator) -> tuple:
    targets = np.repeat(np.arange(num_classes), per_class)
    logits = rng.normal(size=(len(targets), num_classes))
    liked = np.where(rng.random(len(targets)) < accuracy, targets, (targets + 1) % num_classes)
    logits[np.arange(len(targets)), liked] += 6
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return targets, probabilities


def _draw_pictures(folder: Path, count: int) -> list[str]:
    folder.mkdir()
    for number in range(12):
        draw_photo((200, 20 * number, 40), number).save(folder / f"{number}.png")
    return [str(folder / f"{number % 12}.png") for number in range(count)]


def _write_rest(folder: RunFolder, class_names: Sequence[str], per_class: int) -> None:
    counts = {"train": 4 * per_class, "validation": per_class, "test": per_class}
    rows = [
        {"id": f"{split}/{name}/{number}", "path": "", "label": name, "split": split}
        for split, count in counts.items()
        for name in class_names
        for number in range(count)
    ]
    pd.DataFrame(rows).to_csv(folder.split, index=False)
    epochs = np.arange(1, 9)
    history = {
        "phase": ["head"] * 3 + ["all"] * 5,
        "epoch": epochs,
        "train_loss": 2 / epochs,
        "train_accuracy": 1 - 0.5 / epochs,
        "validation_loss": 1.5 / epochs**0.5,
        "validation_accuracy": [0.4, 0.5, 0.55, 0.6, 0.7, 0.65, 0.68, 0.69],
        "learning_rate": 1e-3,
        "seconds": 1.0,
        "images_per_second": 100.0,
    }
    pd.DataFrame(history).to_csv(folder.history, index=False)
    save_settings(load_settings("transfer", ["epochs=8", "model.weights=none"]), folder.config)
    environment = {
        "format": RUN_FORMAT,
        "command": ["/usr/bin/discern", "train", "photos", "seed=3"],
        "packages": {"torch": "2.9.0"},
        "runtime": {"device": "cpu", "reasons": {"device": "no GPU found", "threads": "as set"}},
        "data": {"source": "/data/photos", "fingerprint": "abc123"},
    }
    _write_json(folder.environment, environment)
    save_plan(build_plan(), folder.plan)
    record = TrainingRecord(
        plan=build_plan(),
        environment=Environment.model_validate(environment),
        counts=counts,
        best_epoch=5,
        abstention={
            "0.01": None,
            "0.1": {
                "threshold": 0.8125,
                "outcomes": {
                    "test": {"count": 3, "coverage": 0.625, "error": {"value": 0.05, "low": 0.01, "high": 0.2}}
                },
            },
        },
        outcome="the fine-tuned network, 2 points better on validation",
    )
    bundle = {
        "class_names": list(class_names),
        "discern_version": "0.0.9",
        "architecture": build_plan().architecture.model_dump(mode="json"),
        "preprocess": build_plan().preprocess.to_dict(),
        "decode": {},
        "calibration": {"temperature": 1.5, "count": 99, "ece_before": 0.123, "ece_after": 0.045},
        "weights": {"file": "model.safetensors", "sha256": "0"},
        "record": record.model_dump(mode="json"),
    }
    _write_json(folder.bundle / "bundle.json", bundle)


def build_plan() -> Plan:
    """Make the plan of such a run."""
    phases = [
        PhasePlan(
            name=name,
            train=train,
            epochs=epochs,
            length=epochs,
            max_epochs=epochs,
            optimizer="adam",
            learning_rate=1e-3,
            layer_decay=1.0,
            frozen_batchnorm=False,
            augment="none",
            head_solver="gradient",
            views=0,
            picture_cache="off",
        )
        for name, train, epochs in (("head", ("head",), 3), ("all", "all", 5))
    ]
    return Plan(
        recipe="transfer",
        seed=3,
        architecture=Architecture(backbone="resnet18"),
        weights="none",
        preprocess=Preprocess(64, "pad", (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
        training=TrainingPlan(batch_size=8),
        phases=tuple(phases),
        reading=ReadingPlan(workers=0, max_pixels=10**8, folder=Path("cache"), limit_gigabytes=1.0),
        machine=MachinePlan(
            device="cpu", precision="fp32", threads=2, determinism=False, accelerates=True, processes=1
        ),
        reasons={"training.batch_size": "8, for 90 training pictures"},
    )


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
