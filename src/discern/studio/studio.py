"""What the routes of a studio share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from discern.recipes import list_recipe_names
from discern.run_folder import RunFolder
from discern.serving.refusals import NOT_FOUND, Refusal
from discern.studio.listing import list_folder
from discern.studio.places import Places
from discern.studio.results import describe_run, take_results
from discern.studio.sources import find_sources
from discern.studio.tasks import Tasks
from discern.studio.uploads import Uploads
from discern.training.history import load_history
from discern.training.progress_file import load_progress

_WEIGHTS = ".safetensors"


@dataclass(frozen=True, eq=False)
class Studio:
    """A folder, and the commands that run in it; `is_closing` says that the server is about to end."""

    places: Places
    tasks: Tasks
    uploads: Uploads
    is_closing: Callable[[], bool]

    def list_all(self) -> dict[str, Any]:
        """Return all that is in the folder: sources, results, weights, and the recipes that there are."""
        top = list_folder(self.places.root)
        runs, pages = take_results(top, self.places)
        for run in runs:
            run.exports = [{**file, "link": self.link("files", file["place"])} for file in run.exports]
        weights = [
            self.places.name(folder.path / name)
            for folder in (top, *top.walk_below())
            for name in folder.files
            if name.endswith(_WEIGHTS)
        ]
        return {
            "name": self.places.root.name,
            "folder": str(self.places.root),
            "command_around": self.places.command_around,
            "sources": [one.model_dump(mode="json") for one in find_sources(top, self.places)],
            "runs": [one.model_dump(mode="json") for one in runs],
            "pages": [one.model_dump(mode="json") for one in pages],
            "weights": weights,
            "recipes": list_recipe_names(),
        }

    def link(self, kind: str, place: str) -> str:
        """Return the signed link to a report or a file."""
        return f"{kind}/{self.places.sign(place)}/{quote(place)}"

    def watch_run(self, place: str) -> dict[str, Any] | None:
        """Return how far a run is, and its epochs so far; None for one that has not begun."""
        try:
            run = RunFolder(self.places.find(place))
        except Refusal as refusal:
            if refusal.status == NOT_FOUND:
                return None
            raise
        progress = load_progress(run.progress)
        history = _find_history(run)
        rows = [] if history is None else load_history(history).to_dict("records")
        found = describe_run(run, self.places)
        return {
            **found.model_dump(mode="json"),
            "progress": progress.model_dump() if progress is not None and found.is_running else None,
            "is_asked_to_finish": run.finish_request.exists(),
            "history": [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows],
        }


def _find_history(run: RunFolder) -> Path | None:
    """Return the history of a run; of a run in folds that of the network which is, or was, trained last."""
    found = [path for path in (run.history, *run.root.glob("folds/*/history.csv")) if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)
