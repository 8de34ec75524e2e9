"""The runs of a comparison of sites: one on a random split, and one without each site."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.config.settings import Settings
from discern.data.splitting.sites import Sites, SiteSplit, hold_out_site, list_sites
from discern.data.splitting.split import save_split
from discern.data.table import ImageTable
from discern.errors import DataError, list_some, one_line
from discern.evaluation.intervals import Interval, exact_interval
from discern.evaluation.predictions import Predictions, load_predictions
from discern.evaluation.site_outcomes import Promise, SiteOutcome
from discern.files import write_table
from discern.run_folder import RunFolder
from discern.tuning.child_run import ChildRun, run_child

logger = logging.getLogger("discern")

_RANDOM = "random"


class SiteRuns(NamedTuple):
    """The way of training that all runs share, and the folder in which they are."""

    source: str
    recipe: str
    overrides: tuple[str, ...]
    settings: Settings
    folder: Path

    def train(self, name: str, split: Path, left_out: Sequence[str] = ()) -> ChildRun:
        """Train on a split, without the pictures of these ids; a complete run is kept, an interrupted one goes on."""
        overrides = [*self.overrides, f"data.split_file={split.resolve()}", "run.evaluate_test=true"]
        if left_out:
            fixes = split.with_name(f"{name}-left-out.csv")
            write_table(pd.DataFrame({"path": list(left_out), "action": "drop", "value": ""}), fixes)
            files = [*map(str, self.settings.data.fixes), str(fixes.resolve())]
            overrides.append(f"data.fixes={json.dumps(files)}")
        return run_child(self.source, RunFolder(self.folder / name), recipe=self.recipe, overrides=overrides)


def train_random(runs: SiteRuns, split: Path) -> tuple[Promise, Predictions]:
    """Train on a split in which sites are mixed; return what it promises, and its predictions for the test pictures.

    Raises:
        DataError: The run did not complete.
    """
    run = runs.train(_RANDOM, split)
    logger.info("random split: %s", _describe(run))
    if run.error is not None:
        raise DataError(f"the run on the random split failed: {run.error}; see {run.folder.root}.log")
    tested = _read_test(run)
    return Promise(exact_interval(int(tested.is_correct.sum()), len(tested)), len(tested)), tested


def split_by_site(table: ImageTable, sites: Sites, settings: Settings) -> dict[str, SiteSplit | str]:
    """Return for each site the split that holds it out, or why there is none.

    Raises:
        DataError: There is none for any site.
    """
    # Copies were made groups for the random split alone; groups of the user's own stay together here, too.
    own = table if settings.data.group_column else replace(table, frame=table.frame.assign(group=None))
    splits: dict[str, SiteSplit | str] = {}
    for name in list_sites(sites):
        try:
            splits[name] = hold_out_site(own, sites, name, fractions=settings.data.split, seed=settings.run.seed)
        except DataError as error:
            splits[name] = one_line(error)
    problems = [f"{name}: {problem}" for name, problem in splits.items() if isinstance(problem, str)]
    if len(problems) == len(splits):
        raise DataError(f"{table.source}: no site can be left out:\n{list_some(problems)}")
    return splits


def train_without_each(
    runs: SiteRuns, table: ImageTable, sites: Sites, splits: Mapping[str, SiteSplit | str], tested: Predictions
) -> list[SiteOutcome]:
    """Train without each site in turn, and return what the runs achieve there.

    Args:
        runs: How and where.
        table: All pictures.
        sites: The site (N,) of each.
        splits: Those of `split_by_site`.
        tested: The predictions of the run on the random split.

    Raises:
        DataError: No run completed.
    """
    site_of_tested = pd.Series(sites, index=table.frame["id"]).reindex(tested.ids).to_numpy()
    outcomes = []
    for place, (name, split) in enumerate(splits.items()):
        seen = tested.is_correct[site_of_tested == name]
        begun = SiteOutcome(name, int((sites == name).sum()), 0, None, _measure(seen), len(seen))
        outcome = _train_without(runs, begun, split, f"{place:02d}")
        outcomes.append(outcome)
        outcome_text = f"failed: {outcome.error}" if outcome.error else f"{outcome.seconds:.0f} s"
        logger.info("%d of %d: without %s: %s", place + 1, len(splits), name, outcome_text)
    if all(outcome.error for outcome in outcomes):
        errors = dict.fromkeys(str(outcome.error) for outcome in outcomes)
        raise DataError(f"no run completed: {'; '.join(errors)}; see the .log files in {runs.folder}")
    return outcomes


def _train_without(runs: SiteRuns, begun: SiteOutcome, held_out: SiteSplit | str, folder: str) -> SiteOutcome:
    if isinstance(held_out, str):
        return begun._replace(error=held_out)
    split = runs.folder / f"{folder}-split.csv"
    split.parent.mkdir(parents=True, exist_ok=True)
    save_split(held_out.table, split)
    run = runs.train(folder, split, held_out.left_out)
    if run.error is not None:
        return begun._replace(error=run.error, seconds=run.seconds)
    return _build_outcome(begun, held_out, run)


def _build_outcome(begun: SiteOutcome, held_out: SiteSplit, run: ChildRun) -> SiteOutcome:
    tested = _read_test(run)
    return begun._replace(
        pictures=len(tested),
        trained=len(held_out.table.select("train")),
        accuracy=_measure(tested.is_correct),
        missing_classes=held_out.missing_classes,
        left_out=len(held_out.left_out),
        copies=_count_copies(run.folder.leaks),
        seconds=run.seconds,
    )


def _count_copies(leaks: Path) -> int:
    """Return how many test pictures are in another split as well."""
    if not leaks.is_file():
        return 0
    rows = pd.read_csv(leaks, dtype="str", keep_default_na=False)
    return int(rows.loc[rows["split"] == "test", "id"].nunique())


def _read_test(run: ChildRun) -> Predictions:
    predictions = load_predictions(run.folder.evaluation / "predictions.csv", with_probabilities=False)
    return predictions.select("test")


def _measure(is_correct: NDArray[np.bool_]) -> Interval | None:
    return exact_interval(int(is_correct.sum()), len(is_correct)) if len(is_correct) else None


def _describe(run: ChildRun) -> str:
    return f"failed: {run.error}" if run.error else f"{run.seconds:.0f} s"
