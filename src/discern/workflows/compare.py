"""Compares ways of training side by side, with several seeds, on the same pictures."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from discern.config.overrides import Overrides, list_overrides
from discern.console import reporting
from discern.errors import ConfigError
from discern.evaluation.variant_outcomes import describe_choice, log_outcomes, tabulate_outcomes
from discern.files import write_table
from discern.ownership import owning
from discern.plots.ladder import plot_ladder
from discern.plots.saving import save_figure
from discern.reports.comparison_page import write_comparison_page
from discern.tuning.shared_folder import going_on_in
from discern.tuning.variant_runs import (
    choose_split,
    gather_outcomes,
    measure_test,
    open_comparison,
    split_for_all,
    train_variants,
)
from discern.tuning.variants import build_variants

logger = logging.getLogger("discern")


def compare(
    source: str | Path,
    *,
    out: str | Path,
    recipes: Sequence[str | Path] = ("auto",),
    varied: Sequence[str] = (),
    seeds: int = 3,
    overrides: Overrides = (),
    verbose: bool = True,
) -> pd.DataFrame:
    """Train in several ways, each with every seed, and write comparison.html, .csv and .png to the folder `out`.

    Ways are compared on the validation pictures, by which the best is chosen; only that one is shown with its score on
    the test pictures. Without validation pictures, the comparison is on test. All runs have the same split and share
    the cache. A second call with the same `out` keeps complete runs, resumes
    interrupted ones and repeats failed ones. If a run fails, it is reported, and the others continue; a full disk ends
    the comparison, and so does a first seed with which no run completed.

    Args:
        source: A folder, archive, table or .npz file with labelled pictures.
        out: The folder to write.
        recipes: Names of recipes, or TOML files.
        varied: Settings with several values, such as `data.image_size=128,224`; all combinations are compared.
        seeds: Number of seeds, which are 0, 1, 2 and so on.
        overrides: Settings that override all recipes: `key=value` strings or a mapping.
        verbose: Show progress on standard output.

    Returns:
        The table of comparison.csv, with one row per way of training.

    Raises:
        ConfigError: A recipe or setting is not understood, or there is nothing to compare.
        DataError: The pictures cannot be used, or no run completed.
        RunFolderError: `out` has another comparison, or other files, or another process writes to it.
        WriteError: A file cannot be written, for instance because the disk is full.
    """
    if seeds < 1:
        raise ConfigError(f"{seeds} seeds; expected at least 1")
    folder = Path(out)
    with reporting(verbose=verbose), going_on_in(folder), owning(folder, "discern compare"):
        variants = build_variants([str(recipe) for recipe in recipes], varied, list_overrides(overrides))
        open_comparison(folder, source, variants)
        split = split_for_all(source, variants[0], folder)
        runs = train_variants(str(source), variants, seeds, split, folder / "runs")
        chosen_by = choose_split(split)
        outcomes = gather_outcomes(variants, runs, chosen_by)
        choice = describe_choice(outcomes, chosen_by, measure_test(outcomes, runs) if chosen_by != "test" else None)
        table = tabulate_outcomes(outcomes)
        write_table(table, folder / "comparison.csv")
        save_figure(plot_ladder(table), folder / "comparison.png")
        write_comparison_page(outcomes, str(source), choice, folder / "comparison.html")
        log_outcomes(outcomes, choice)
        logger.info("written: %s", folder)
        return table
