"""A search: what all its trials have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from discern.config.load import load_settings
from discern.config.settings import Settings
from discern.data.cache.home import build_cache
from discern.data.prepare import prepare_shared_split
from discern.errors import ConfigError, DataError
from discern.tuning.shared_folder import open_shared_folder
from discern.tuning.space import Space, build_default_space, check_space, load_space


@dataclass(frozen=True)
class Search:
    """A recipe to improve, the settings that vary, the pictures, and the folder of all trials.

    `constant_phases` names the phases that are the same in every trial; trials are not scored by their epochs.
    """

    name: str
    source: str
    recipe: str
    overrides: tuple[str, ...]
    settings: Settings
    space: Space
    constant_phases: frozenset[str]
    out: Path

    @property
    def monitor(self) -> str:
        """The score that the best epoch of a trial is chosen by."""
        return self.settings.training.monitor

    @property
    def split(self) -> Path:
        """The split that all trials share."""
        return self.out / "split.csv"

    def score(self, history: pd.DataFrame) -> "pd.Series[float]":
        """Return the score to maximise, for each epoch of the phases that differ between trials."""
        values = history.loc[~history["phase"].isin(self.constant_phases), self.monitor]
        return -values if self.monitor == "validation_loss" else values


def open_search(
    name: str, source: str, out: Path, recipe: str | Path, overrides: Sequence[str], space_file: str | Path | None
) -> Search:
    """Check the search space, create the folder or check that it belongs to this search, and split the pictures.

    Raises:
        ConfigError: The recipe or the space cannot be used.
        DataError: The pictures cannot be used, or there is no validation split.
        RunFolderError: The folder has another search, or other files.
    """
    settings = load_settings(recipe, overrides)
    if settings.run.folds is not None:
        raise ConfigError(
            "trials are compared on a validation split, which a run in folds has not; search without run.folds, and "
            "then train in folds with the best settings"
        )
    space = build_default_space(settings) if space_file is None else load_space(Path(space_file))
    check_space(space, str(recipe), overrides)
    constant = _find_constant_phases(settings)
    search = Search(name, source, str(recipe), tuple(overrides), settings, space, constant, out)
    _open_folder(search)
    cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
    table = prepare_shared_split(source, settings.data, search.split, seed=settings.run.seed, cache=cache)
    if not len(table.select("validation")):
        raise DataError(
            f"{source}: trials are compared on a validation split, and there is none; give it a share with data.split"
        )
    return search


def _find_constant_phases(settings: Settings) -> frozenset[str]:
    """Return the names of phases that give the same result in every trial, if there are other phases.

    If such a phase were the best of all trials, all trials would have the same score.
    """
    phases = settings.training.phases
    solved = frozenset(phase.name for phase in phases if phase.head_solver != "gradient")
    return solved if len(solved) < len(phases) else frozenset()


def _open_folder(search: Search) -> None:
    definition: dict[str, Any] = {
        "format": "discern-search",
        "name": search.name,
        "source": str(Path(search.source).resolve()),
        "settings": search.settings.to_dict(),
        "space": {name: choice.model_dump(mode="json") for name, choice in search.space.items()},
    }
    other = "another search, with another name, data or settings"
    open_shared_folder(search.out, definition, kind="search", other=other)
