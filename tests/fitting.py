"""Builds a small training as the workflow does, without its run folder."""

from pathlib import Path

from discern.config.load import load_settings
from discern.data.reading.preprocess import Preprocess
from discern.models.build import build_classifier
from discern.planning.choices import choose_architecture
from discern.runtime import resolve_runtime, seed_everything
from discern.training.batches import TrainingData
from discern.training.fit import Fit

SMALL = ["model.backbone=resnet18-half", "model.weights=none", "training.batch_size=8"]


def build_fit(table, recipe, overrides, state_folder: Path | None = None, listeners=(), workers=0, **reading):
    settings = load_settings(recipe, overrides)
    runtime = resolve_runtime(
        device="cpu",
        precision=settings.run.precision,
        threads=1,
        determinism=True,
        acceleration=settings.run.acceleration,
    )
    seed_everything(settings.run.seed)
    classifier = build_classifier(choose_architecture(settings.model), len(table.class_names))
    runtime.place(classifier)
    data = TrainingData(
        train=table.select("train"),
        validation=table.select("validation"),
        preprocess=Preprocess(32, "squash", classifier.backbone.mean, classifier.backbone.std),
        batch_size=settings.training.batch_size,
        seed=settings.run.seed,
        workers=workers,
        max_pixels=10**6,
        class_balanced=settings.training.balance == "sampler",
        cache_settings=settings.cache,
        **reading,
    )
    return Fit(classifier, settings.training, data, runtime, state_folder=state_folder, listeners=listeners)


def without_time(rows):
    return [(row.phase, row.epoch, row.train_loss, row.validation_loss, row.learning_rate) for row in rows]
