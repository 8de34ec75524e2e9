"""Trains without each site in turn, such as a camera, and compares what holds there with a random split's promise."""

import logging
from pathlib import Path

import pandas as pd

from discern.config.load import load_settings
from discern.config.overrides import Overrides, list_overrides
from discern.config.settings import Settings
from discern.console import reporting
from discern.data.cache.home import build_cache
from discern.data.prepare import build_columns, prepare_shared_split
from discern.data.sources.load import load_table
from discern.data.splitting.sites import find_sites, list_sites
from discern.errors import ConfigError, DataError
from discern.evaluation.site_outcomes import log_sites, sort_sites, tabulate_sites
from discern.files import write_table
from discern.ownership import owning
from discern.plots.saving import save_figure
from discern.plots.sites import plot_sites
from discern.reports.sites_page import write_sites_page
from discern.tuning.shared_folder import going_on_in, open_shared_folder
from discern.tuning.site_runs import SiteRuns, split_by_site, train_random, train_without_each

logger = logging.getLogger("discern")

MAX_SITES = 20
_MIN_PICTURES = 2


def leave_out(
    source: str | Path,
    column: str,
    *,
    out: str | Path,
    recipe: str | Path = "auto",
    overrides: Overrides = (),
    max_sites: int = MAX_SITES,
    verbose: bool = True,
) -> pd.DataFrame:
    """Train without each site in turn and on a random split, and write sites.html, .csv and .png to the folder `out`.

    All runs have the same recipe and seed. A site that was left out is the test split of its run; the other pictures
    are divided into train and validation. The random split is that of an ordinary run, in which each site has pictures
    in training: what one would believe otherwise. A second call with the same `out` keeps complete runs, resumes
    interrupted ones and repeats failed ones.

    Args:
        source: A CSV file with labelled pictures.
        column: The column that names the site of each picture; pictures without one are never left out.
        out: The folder to write.
        recipe: Name of a recipe, or a TOML file.
        overrides: Settings that override the recipe: `key=value` strings or a mapping.
        max_sites: Most sites that are accepted, since each takes a training.
        verbose: Show progress on standard output.

    Returns:
        The table of sites.csv, the site with the lowest accuracy first.

    Raises:
        ConfigError: The recipe or a setting is not understood, or does not fit.
        DataError: The pictures cannot be used, there are too few or too many sites, or no run completed.
        RunFolderError: `out` has something else, or another process writes to it.
        WriteError: A file cannot be written, for instance because the disk is full.
    """
    folder, asked = Path(out), list_overrides(overrides)
    settings = load_settings(str(recipe), asked)
    _check_settings(settings, column)
    with reporting(verbose=verbose), going_on_in(folder), owning(folder, "discern compare --leave-out"):
        known = _read_sites(source, settings, column)
        open_shared_folder(
            folder,
            {
                "format": "discern-leave-out",
                "source": str(Path(source).resolve()),
                "column": column,
                "sites": sorted(set(known.dropna())),
                "settings": settings.to_dict(),
            },
            kind="comparison of sites",
            other="a comparison of other sites, other data or another way of training",
        )
        cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
        split = folder / "split.csv"
        table = prepare_shared_split(source, settings.data, split, seed=settings.run.seed, cache=cache)
        if len(table.select("test")) < _MIN_PICTURES:
            raise DataError(
                f"{source}: the random split has {len(table.select('test'))} test pictures, so there is no promise to "
                "compare sites with; give test a share in data.split"
            )
        sites = find_sites(table, known, column=column, max_sites=max_sites)
        if (sites == "").any():
            logger.warning("%d pictures have no %s; they are in training each time", (sites == "").sum(), column)
        number = len(list_sites(sites))
        logger.info("%d trainings: on a random split, and without each of %d sites", number + 1, number)
        runs = SiteRuns(str(source), str(recipe), tuple(asked), settings, folder / "runs")
        splits = split_by_site(table, sites, settings)
        promise, tested = train_random(runs, split)
        outcomes = sort_sites(train_without_each(runs, table, sites, splits, tested))
        found = tabulate_sites(outcomes, promise)
        write_table(found, folder / "sites.csv")
        save_figure(plot_sites(found), folder / "sites.png")
        write_sites_page(outcomes, promise, str(source), column, folder / "sites.html")
        log_sites(outcomes, promise, column)
        logger.info("written: %s", folder)
        return found


def _check_settings(settings: Settings, column: str) -> None:
    if settings.run.folds is not None:
        raise ConfigError("run.folds trains several networks in each run; leave it out to leave out sites")
    if settings.data.group_column == column:
        raise ConfigError(
            f"data.group_column={column} keeps each {column} on one side already, so that there would be no promise of "
            "a random split to compare with; leave it out here"
        )


def _read_sites(source: str | Path, settings: Settings, column: str) -> "pd.Series[str]":
    """Return the site of each picture by its id; missing where there is none."""
    if Path(source).is_dir():
        raise DataError(
            f"{source} is a folder, which has no column {column!r}; list its pictures in a CSV file with the columns "
            f"image, label and {column}"
        )
    columns = build_columns(settings.data.model_copy(update={"group_column": column}))
    frame = load_table(source, columns).frame
    return frame.set_index("id")["group"]
