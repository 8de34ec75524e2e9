"""What commands have written into a studio's folder: runs, audits, comparisons and other pages."""

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from discern.auditing.record import load_audit_record
from discern.errors import DiscernError
from discern.evaluation.intervals import SavedInterval
from discern.evaluation.metrics import load_metrics
from discern.ownership import find_owner
from discern.planning.plan import load_plan
from discern.reports.run_facts import choose_reported_split
from discern.run_folder import RunFolder
from discern.serving.candidates import load_candidates
from discern.studio.listing import Listed
from discern.studio.places import Places

_PAGES = {"audit.html": "audit", "comparison.html": "comparison", "fieldcheck.html": "fieldcheck"}


class FoundRun(BaseModel):
    """A run as the page lists it; the accuracy is of the reported split."""

    place: str
    made: float
    is_complete: bool
    is_running: bool
    has_report: bool
    split: str | None = None
    pictures: int | None = None
    accuracy: SavedInterval | None = None
    recipe: str | None = None
    backbone: str | None = None
    exports: list[dict[str, Any]] = []


class FoundPage(BaseModel):
    """A folder with a page that another command wrote.

    Of an audit, `source` is what it looked at, `to_review` the number of pictures that it asks to decide about, and
    `fixes` are files for --apply.
    """

    place: str
    kind: Literal["audit", "comparison", "fieldcheck", "diff"]
    page: str | None
    made: float
    source: str | None = None
    to_review: int = 0
    fixes: list[str] = []


def take_results(folder: Listed, places: Places) -> tuple[list[FoundRun], list[FoundPage]]:
    """Return all results in a listing, and take their folders out of it; the latest come first."""
    runs: list[FoundRun] = []
    pages: list[FoundPage] = []
    _take(folder, places, runs, pages)
    return sorted(runs, key=_made, reverse=True), sorted(pages, key=_made, reverse=True)


def _take(folder: Listed, places: Places, runs: list[FoundRun], pages: list[FoundPage]) -> None:
    for name, inner in list(folder.folders.items()):
        run = RunFolder(inner.path)
        page = next((one for one in _PAGES if one in inner.files), None)
        if run.holds_run() or (run.bundle / "bundle.json").is_file():
            runs.append(describe_run(run, places))
        elif page is not None or {"comparison.json", "disagreements.csv"} <= set(inner.files):
            pages.append(_describe_page(inner, page, places))
        else:
            _take(inner, places, runs, pages)
            continue
        del folder.folders[name]


def describe_run(run: RunFolder, places: Places) -> FoundRun:
    """Return what is known of a run; a part that is missing or damaged is left out."""
    found = FoundRun(
        place=places.name(run.root),
        made=run.root.stat().st_mtime,
        is_complete=run.is_complete(),
        is_running=find_owner(run.root) is not None,
        has_report=run.report.is_file(),
        exports=_list_exports(run, places),
    )
    with suppress(DiscernError):
        plan = load_plan(run.plan)
        found.recipe, found.backbone = plan.recipe, plan.architecture.backbone
    with suppress(DiscernError):
        metrics = load_metrics(run.evaluation / "metrics.json")
        split = choose_reported_split(metrics)
        if split is not None:
            found.split, found.pictures, found.accuracy = split, metrics[split].count, metrics[split].accuracy
    return found


def _list_exports(run: RunFolder, places: Places) -> list[dict[str, Any]]:
    files = sorted(path for path in run.export.glob("*") if path.is_file() and not path.name.startswith("."))
    return [{"place": places.name(path), "name": path.name, "bytes": path.stat().st_size} for path in files]


def _describe_page(folder: Listed, page: str | None, places: Places) -> FoundPage:
    found = FoundPage(
        place=places.name(folder.path),
        kind="diff" if page is None else _PAGES[page],
        page=None if page is None else places.name(folder.path / page),
        made=folder.path.stat().st_mtime,
    )
    if found.kind == "audit":
        with suppress(DiscernError, OSError, ValueError):
            found.source = load_audit_record(folder.path / "audit.json").source
            found.to_review = len(load_candidates(folder.path, folder.path))
        files = [folder.path / name for name in ("fixes.csv", "overrides.csv") if name in folder.files]
        found.fixes = [places.name(file) for file in files if _has_rows(file)]
    return found


def _has_rows(table: Path) -> bool:
    with table.open("rb") as lines:
        return sum(1 for _ in islice(lines, 2)) > 1


def _made(found: FoundRun | FoundPage) -> float:
    return found.made
