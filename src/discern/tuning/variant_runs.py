"""The runs of a comparison: every variant with every seed, on one split."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from discern.config.load import load_settings
from discern.data.cache.home import build_cache
from discern.data.prepare import prepare_shared_split
from discern.errors import DataError
from discern.evaluation.predictions import load_predictions
from discern.evaluation.variant_outcomes import SeedRun, VariantOutcome, choose_best
from discern.run_folder import RunFolder
from discern.tuning.child_run import ChildRun, run_child
from discern.tuning.shared_folder import open_shared_folder
from discern.tuning.variants import Variant

logger = logging.getLogger("discern")

_SPLIT = "split.csv"
_MIN_PICTURES = 2

Runs = Mapping[tuple[str, int], ChildRun]
"""Runs by the name of their variant and their seed."""


def open_comparison(out: Path, source: str | Path, variants: Sequence[Variant]) -> None:
    """Create the folder of a comparison, or check that it belongs to this one; the number of seeds may differ.

    Raises:
        RunFolderError: The folder has another comparison, or other files.
    """
    definition: dict[str, Any] = {
        "format": "discern-comparison",
        "source": str(Path(source).resolve()),
        "variants": [
            {"name": variant.name, "settings": load_settings(variant.recipe, variant.overrides).to_dict()}
            for variant in variants
        ],
    }
    open_shared_folder(out, definition, kind="comparison", other="a comparison of other ways of training or other data")


def split_for_all(source: str | Path, variant: Variant, out: Path) -> Path:
    """Split the pictures once for all runs, and return the path of the split file.

    Raises:
        DataError: There are fewer than two pictures to compare predictions on.
    """
    settings = load_settings(variant.recipe, variant.overrides)
    cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
    table = prepare_shared_split(source, settings.data, out / _SPLIT, seed=settings.run.seed, cache=cache)
    held_out = {split: len(table.select(split)) for split in ("validation", "test")}
    if not settings.run.evaluate_test:
        held_out["test"] = 0
    if max(held_out.values()) < _MIN_PICTURES:
        counts = f"there are {held_out['validation']} for validation and {held_out['test']} for test"
        raise DataError(f"{source}: ways of training are compared on at least two held-out pictures; {counts}")
    return out / _SPLIT


def train_variants(source: str, variants: Sequence[Variant], seeds: int, split: Path, folder: Path) -> Runs:
    """Train all variants with the first seed, then with the next, so that an interruption leaves comparable runs.

    Raises:
        DataError: With the first seed no run completed: what stops them all is not their seed.
    """
    runs: dict[tuple[str, int], ChildRun] = {}
    for seed in range(seeds):
        for place, variant in enumerate(variants):
            overrides = [*variant.overrides, f"data.split_file={split.resolve()}", f"run.seed={seed}"]
            run_folder = RunFolder(folder / f"{place:02d}-seed{seed}")
            run = run_child(source, run_folder, recipe=variant.recipe, overrides=overrides)
            runs[variant.name, seed] = run
            outcome = f"failed: {run.error}" if run.error else f"{run.seconds:.0f} s"
            logger.info("%d of %d: %s, seed %d: %s", len(runs), seeds * len(variants), variant.name, seed, outcome)
        if all(run.error for run in runs.values()):
            errors = dict.fromkeys(str(run.error) for run in runs.values())
            raise DataError(f"no run completed with seed {seed}: {'; '.join(errors)}; see the .log files in {folder}")
    return runs


def choose_split(split: Path) -> str:
    """Return the split that variants are compared and chosen by: validation, or test if that has too few pictures."""
    counts = pd.read_csv(split, usecols=["split"], dtype="str")["split"].value_counts()
    return "validation" if counts.get("validation", 0) >= _MIN_PICTURES else "test"


def measure_test(outcomes: Sequence[VariantOutcome], runs: Runs) -> VariantOutcome | None:
    """Return the outcome of the best variant on the test pictures, the only one that is looked at; None without any."""
    best = choose_best(outcomes)
    found = [(run, _read_correct(runs[best.name, run.seed], "test")) for run in best.complete]
    tested = [run._replace(is_correct=np.asarray(right, np.float64)) for run, right in found if right is not None]
    return replace(best, runs=tuple(tested)) if tested else None


def gather_outcomes(variants: Sequence[Variant], runs: Runs, split: str) -> list[VariantOutcome]:
    """Return for each variant which pictures of a split its runs classified correctly.

    Raises:
        DataError: No run that completed was evaluated on that split.
    """
    read = {key: _read_correct(run, split) for key, run in runs.items() if run.error is None}
    correct = {key: found for key, found in read.items() if found is not None}
    if not correct:
        raise DataError(f"no run that completed was evaluated on the {split} pictures, on which the ways are compared")
    pictures = next(iter(correct.values())).index

    def build_run(name: str, seed: int, run: ChildRun) -> SeedRun:
        found = correct.get((name, seed))
        is_correct = None if found is None else np.asarray(found.reindex(pictures), dtype=np.float64)
        return SeedRun(seed, run.seconds, run.peak_bytes, run.error, is_correct)

    return [
        VariantOutcome(
            variant.name,
            variant.recipe,
            variant.overrides,
            tuple(build_run(name, seed, run) for (name, seed), run in runs.items() if name == variant.name),
        )
        for variant in variants
    ]


def _read_correct(run: ChildRun, split: str) -> "pd.Series[bool] | None":
    """Return whether each picture of a split was classified correctly, by id; None where it was not evaluated."""
    predictions = load_predictions(run.folder.evaluation / "predictions.csv", with_probabilities=False)
    if split not in predictions.splits:
        return None
    reported = predictions.select(split)
    return pd.Series(reported.is_correct, index=pd.Index(reported.ids))
