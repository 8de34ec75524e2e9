"""Which technique pays: ways of training side by side, with several seeds, on the same pictures."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.config.load import load_settings
from discern.data.cache.home import build_cache
from discern.data.prepare import prepare_shared_split
from discern.errors import ConfigError, DataError
from discern.evaluation.intervals import Interval
from discern.evaluation.predictions_file import load_answers
from discern.evaluation.seed_comparison import describe_difference, estimate_accuracy, estimate_mean
from discern.plots.ladder import plot_ladder
from discern.reports.evaluation_files import save_figure, write_table
from discern.run_folder import RunFolder
from discern.tuning.child_run import ChildRun, run_child
from discern.tuning.claim import claim_folder
from discern.tuning.variants import Variant, build_variants
from discern.workflows.comparison_page import write_comparison_page

logger = logging.getLogger("discern")

_SPLIT = "split.csv"


@dataclass(frozen=True, eq=False)
class VariantOutcome:
    """The runs of a variant, a seed each, and what those that completed got right: (S, N) for N pictures."""

    variant: Variant
    runs: tuple[ChildRun, ...]
    seeds: tuple[int, ...]
    is_right: npt.NDArray[np.float64]

    @property
    def accuracy(self) -> Interval | None:
        """The accuracy over seeds and pictures; None where no run completed."""
        return estimate_accuracy(self.is_right) if len(self.seeds) else None

    @property
    def complete(self) -> tuple[ChildRun, ...]:
        """The runs that completed."""
        return tuple(run for run in self.runs if run.error is None)

    @property
    def seconds(self) -> float | None:
        """What a run usually takes; None where none completed."""
        return median(run.seconds for run in self.complete) if self.complete else None

    @property
    def peak_bytes(self) -> int | None:
        """The largest memory of a run; None where the system tells of none."""
        return max((run.peak_bytes for run in self.complete if run.peak_bytes is not None), default=None)

    def subtract(self, other: "VariantOutcome") -> Interval | None:
        """Return by how much this one's accuracy is above the other's, on common seeds; None where there are none."""
        common = sorted(set(self.seeds) & set(other.seeds))
        if not common:
            return None
        own, others = (outcome.is_right[[outcome.seeds.index(seed) for seed in common]] for outcome in (self, other))
        return estimate_mean(own - others)


def compare(
    source: str | Path,
    *,
    out: Path,
    recipes: Sequence[str] = ("auto",),
    varied: Sequence[str] = (),
    seeds: int = 3,
    overrides: Sequence[str] = (),
) -> pd.DataFrame:
    """Train every way with every seed, and write comparison.html, .csv and .png to the folder `out`.

    All runs have the same split and share the cache. Called again with the same `out`, it keeps what is complete, goes
    on with what was interrupted and tries again what failed. A failed run is reported, and the others go on.

    Args:
        source: A folder, CSV or .npz file with labelled pictures.
        out: The folder to write.
        recipes: Names of recipes, or TOML files.
        varied: Settings with several values, such as `data.image_size=128,224`; all combinations are tried.
        seeds: How many seeds, from 0 on.
        overrides: `key=value` texts laid over all recipes.

    Raises:
        ConfigError: A recipe or setting is not understood, or there is nothing to compare.
        DataError: The pictures cannot be used, or not one run completed.
        RunFolderError: `out` holds another comparison, or something else.
    """
    if seeds < 1:
        raise ConfigError(f"{seeds} seeds; expected at least 1")
    variants = build_variants(recipes, varied, overrides)
    _claim(out, source, variants)
    split = _fix_split(source, variants[0], out)
    runs = _train_all(str(source), variants, seeds, split, out / "runs")
    outcomes = _gather(variants, runs)
    table = _tabulate(outcomes)
    write_table(table, out / "comparison.csv")
    save_figure(plot_ladder(table), out / "comparison.png")
    write_comparison_page(outcomes, describe_best(outcomes), str(source), out / "comparison.html")
    _tell(outcomes, out)
    return table


def _claim(out: Path, source: str | Path, variants: Sequence[Variant]) -> None:
    """Make the folder, or check that it holds this comparison; more seeds may be asked for the second time."""
    plan: dict[str, Any] = {
        "format": "discern-comparison",
        "source": str(Path(source).resolve()),
        "variants": [
            {"name": variant.name, "settings": load_settings(variant.recipe, variant.overrides).to_dict()}
            for variant in variants
        ],
    }
    claim_folder(out, plan, kind="comparison", other="a comparison of other ways of training or other data")


def _fix_split(source: str | Path, variant: Variant, out: Path) -> Path:
    """Split the pictures once for all runs.

    Raises:
        DataError: There are not two pictures to compare answers on.
    """
    settings = load_settings(variant.recipe, variant.overrides)
    cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
    table = prepare_shared_split(source, settings.data, out / _SPLIT, seed=settings.run.seed, cache=cache)
    held_out = {split: len(table.select(split)) for split in ("validation", "test")}
    if not settings.run.evaluate_test:
        held_out["test"] = 0
    if (held_out["test"] or held_out["validation"]) < 2:
        counts = f"there are {held_out['validation']} for validation and {held_out['test']} for test"
        raise DataError(f"{source}: ways are compared on two or more pictures that none has trained on; {counts}")
    return out / _SPLIT


def _train_all(
    source: str, variants: Sequence[Variant], seeds: int, split: Path, folder: Path
) -> dict[tuple[str, int], ChildRun]:
    """Run seed by seed, so that what is known early can be compared."""
    runs: dict[tuple[str, int], ChildRun] = {}
    for seed in range(seeds):
        for place, variant in enumerate(variants):
            overrides = [*variant.overrides, f"data.split_file={split.resolve()}", f"run.seed={seed}"]
            run_folder = RunFolder(folder / f"{place:02d}-seed{seed}")
            run = run_child(source, run_folder, recipe=variant.recipe, overrides=overrides)
            runs[variant.name, seed] = run
            outcome = f"failed: {run.error}" if run.error else f"{run.seconds:.0f} s"
            logger.info("%d of %d: %s, seed %d: %s", len(runs), seeds * len(variants), variant.name, seed, outcome)
    return runs


def _gather(variants: Sequence[Variant], runs: dict[tuple[str, int], ChildRun]) -> list[VariantOutcome]:
    answers = {key: _read_right(run) for key, run in runs.items() if run.error is None}
    if not answers:
        errors = "; ".join(dict.fromkeys(str(run.error) for run in runs.values()))
        raise DataError(f"not one run completed: {errors}")
    pictures = next(iter(answers.values())).index
    outcomes = []
    for variant in variants:
        seeds = tuple(seed for name, seed in answers if name == variant.name)
        rows = [answers[variant.name, seed].reindex(pictures).to_numpy(dtype=np.float64) for seed in seeds]
        own = tuple(run for (name, _), run in runs.items() if name == variant.name)
        is_right = np.array(rows, dtype=np.float64).reshape(len(seeds), len(pictures))
        outcomes.append(VariantOutcome(variant, own, seeds, is_right))
    return outcomes


def _read_right(run: ChildRun) -> "pd.Series[bool]":
    """Return whether each picture of the last split, which is the one reported, was answered right, by id."""
    saved = load_answers(run.folder.evaluation / "predictions.csv")
    frame = saved.select(saved.list_splits()[-1]).frame.set_index("id")
    return frame["true"] == frame["predicted"]


def _tabulate(outcomes: Sequence[VariantOutcome]) -> pd.DataFrame:
    rows = []
    for place, outcome in enumerate(outcomes):
        accuracy = outcome.accuracy
        other = outcomes[place - 1] if place else None
        difference = None if other is None else outcome.subtract(other)
        rows.append(
            {
                "name": outcome.variant.name,
                "recipe": outcome.variant.recipe,
                "overrides": " ".join(outcome.variant.overrides),
                "runs": len(outcome.complete),
                "failed": len(outcome.runs) - len(outcome.complete),
                "pictures": outcome.is_right.shape[1],
                **_spread("accuracy", accuracy),
                "compared_with": "" if other is None else other.variant.name,
                **_spread("difference", difference),
                "seconds": np.nan if outcome.seconds is None else outcome.seconds,
                "peak_gigabytes": np.nan if outcome.peak_bytes is None else outcome.peak_bytes / 1e9,
            }
        )
    return pd.DataFrame(rows)


def _spread(name: str, interval: Interval | None) -> dict[str, float]:
    ends = (np.nan, np.nan, np.nan) if interval is None else interval
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _tell(outcomes: Sequence[VariantOutcome], out: Path) -> None:
    """Say how good each way is, whether it is better than the one before, and which cannot be told from the best."""
    for place, outcome in enumerate(outcomes):
        accuracy = outcome.accuracy
        if accuracy is None:
            logger.warning("%s: no run completed: %s", outcome.variant.name, outcome.runs[0].error)
            continue
        logger.info(
            "%s: accuracy %.1f%% [%.1f, %.1f] over %d seeds and %d pictures, %.0f s a run",
            outcome.variant.name,
            *(100 * end for end in accuracy),
            *outcome.is_right.shape,
            outcome.seconds,
        )
        difference = outcome.subtract(outcomes[place - 1]) if place else None
        if difference is not None:
            other = outcomes[place - 1].variant.name
            logger.info("  %s", describe_difference(outcome.variant.name, other, difference))
    logger.info("%s", describe_best(outcomes))
    logger.info("written: %s", out)


def describe_best(outcomes: Sequence[VariantOutcome]) -> str:
    """Name the way with the highest accuracy, and those that are not shown to be worse."""
    scored = [outcome for outcome in outcomes if outcome.accuracy is not None]
    best = max(scored, key=lambda outcome: float(outcome.is_right.mean()))
    rivals = []
    for outcome in scored:
        difference = outcome.subtract(best)
        if outcome is not best and (difference is None or difference.high >= 0):
            rivals.append(outcome.variant.name)
    if rivals:
        others = f"not distinguishable from it: {', '.join(rivals)}"
    else:
        others = "all others are worse" if len(scored) > 1 else "no other completed"
    return f"highest: {best.variant.name}; {others}"
