"""Builds a small training as the workflow does, without its run folder."""

from dataclasses import replace
from pathlib import Path

from discern.config.load import load_settings
from discern.data.cache.array_cache import ArrayCache
from discern.planning.planner import plan_training
from discern.runtime import choose_runtime, seed_everything
from discern.training.batches import build_training_data
from discern.training.fit import Fit
from discern.training.listeners import Listener
from discern.training.start import build_planned

SMALL = ["model.backbone=resnet18-half", "model.weights=none", "training.batch_size=8", "data.image_size=32"]
SQUASHED = ["data.fit=squash", "data.cache=off", "model.stem=imagenet"]


class StopInEpoch(Listener):
    """Interrupts the training after the first batch of an epoch."""

    def __init__(self, number):
        self.left = number

    def on_epoch_start(self, phase, epoch, batches):
        self.left -= 1

    def on_batch(self, result):
        if self.left == 0:
            raise KeyboardInterrupt


def build_plan(table, recipe, overrides=(), runtime=None, **given):
    """Return the plan of a small training on a CPU."""
    settings = load_settings(recipe, [*SQUASHED, *overrides])
    return plan_training(
        settings, table, runtime or _choose_runtime(settings), ArrayCache(Path("no-cache"), limit_bytes=0), **given
    )


def build_fit(table, recipe, overrides, state_folder: Path | None = None, listeners=(), workers=0, cache=None, **given):
    """Return a training; `given` are arguments of `Fit` or of `TrainingData`."""
    settings = load_settings(recipe, overrides)
    runtime = _choose_runtime(settings)
    runtime.set_up()
    plan = build_plan(table, recipe, overrides, runtime)
    seed_everything(plan.seed)
    classifier = build_planned(plan, len(table.class_names), runtime)
    own = {name: given.pop(name) for name in ("loss", "metrics", "deadline") if name in given}
    data = replace(build_training_data(plan, table, runtime), workers=workers, cache=cache, **given)
    return Fit(
        classifier, plan.phases, plan.training, data, runtime, state_folder=state_folder, listeners=listeners, **own
    )


def _choose_runtime(settings):
    run = settings.run
    return choose_runtime(
        device="cpu", precision=run.precision, threads=1, determinism=True, acceleration=run.acceleration
    )


def without_time(rows):
    return [(row.phase, row.epoch, row.train_loss, row.validation_loss, row.learning_rate) for row in rows]
