"""The page of a data audit: what is wrong with the pictures and labels, with the pictures themselves."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, NamedTuple

from pydantic import ValidationError

from discern.errors import DataError
from discern.reports.charts import draw_share
from discern.reports.pages import render_page
from discern.reports.saved import AuditFinding, AuditItem, SavedAudit
from discern.reports.wording import count_of, shorten

LoadThumbnail = Callable[[str], bytes | None]
"""Returns a JPEG file of a picture by its path, or by its id where it has none; None if it cannot be read."""

MOST_ITEMS = 60
_MOST_PICTURES = 6
_IMAGE_BYTES = 3_000_000
_SEVERITIES = ("error", "warning", "note")


class AuditPicture(NamedTuple):
    """One picture of an item, with what the data say of it."""

    name: str
    label: str
    split: str
    jpeg: bytes | None


class ShownItem(NamedTuple):
    """An item whose pictures are shown side by side; `left_out` more of them are not."""

    item: AuditItem
    pictures: tuple[AuditPicture, ...]
    left_out: int
    advice: str


@dataclass(frozen=True)
class ShownFinding:
    """A section of the page; `more` items stand in audit.json alone."""

    finding: AuditFinding
    anchor: str
    items: tuple[ShownItem, ...]
    more: int


def build_audit_page(audit: Mapping[str, Any], load_thumbnail: LoadThumbnail) -> str:
    """Return the HTML of an audit.

    Args:
        audit: What audit.json holds.
        load_thumbnail: Asked for each picture that is shown; up to 3 MB of its files go into the page.

    Raises:
        DataError: `audit` does not have the form of an audit.json.
    """
    try:
        saved = SavedAudit.model_validate(audit)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()[:5])
        raise DataError(f"this is not the audit.json of this version of discern: {problems}") from None
    found = [finding for finding in saved.findings if finding.count or finding.items]
    found.sort(key=lambda finding: _SEVERITIES.index(finding.severity) if finding.severity in _SEVERITIES else 1)
    largest = max(saved.class_counts.values(), default=1)
    return render_page(
        "audit.html.jinja",
        {
            "audit": saved,
            "created": _format_time(saved.created),
            "findings": list(_show_findings(found, load_thumbnail)),
            "clean": [finding for finding in saved.findings if finding not in found],
            "classes": [
                (name, count, draw_share(count / max(1, largest))) for name, count in saved.class_counts.items()
            ],
            "summary": _summarise(saved, found),
        },
    )


def _summarise(audit: SavedAudit, found: list[AuditFinding]) -> str:
    looked = f"{count_of(audit.count, 'picture')} of {count_of(len(audit.class_names), 'class', 'classes')}"
    if not found:
        return f"Nothing was found in {looked}."
    numbers = {severity: sum(finding.severity == severity for finding in found) for severity in _SEVERITIES}
    words = {"error": ("problem", "problems"), "warning": ("caution", "cautions"), "note": ("note", "notes")}
    parts = [count_of(number, *words[severity]) for severity, number in numbers.items() if number]
    return f"{looked} were looked at: {', '.join(parts)}."


def _show_findings(found: list[AuditFinding], load_thumbnail: LoadThumbnail) -> Iterator[ShownFinding]:
    """Give each finding an equal part of the bytes, and what it leaves to those after it."""
    left_bytes = _IMAGE_BYTES
    for place, finding in enumerate(found):
        budget = left_bytes // (len(found) - place)
        items: list[ShownItem] = []
        for item in finding.items[:MOST_ITEMS]:
            if budget <= 0:
                break
            items.append(_show_item(item, load_thumbnail))
            used = sum(len(picture.jpeg or b"") for picture in items[-1].pictures)
            budget, left_bytes = budget - used, left_bytes - used
        more = max(finding.count, len(finding.items)) - len(items) if finding.items else 0
        yield ShownFinding(finding, f"finding-{place + 1}", tuple(items), more)


def _show_item(item: AuditItem, load_thumbnail: LoadThumbnail) -> ShownItem:
    rows = list(zip_longest(item.ids, item.paths, item.labels, item.splits, fillvalue=None))[: len(item.ids)]
    pictures = tuple(
        AuditPicture(str(name), label or "", split or "", load_thumbnail(path or str(name)))
        for name, path, label, split in rows[:_MOST_PICTURES]
    )
    return ShownItem(item, pictures, len(rows) - len(pictures), _advise(item))


def _advise(item: AuditItem) -> str:
    if item.action == "relabel" and item.suggested_label is not None:
        return f"Relabel as “{shorten(item.suggested_label, 40)}”?"
    return {"drop": "Leave out?", "group": "Keep on one side of the split.", "relabel": "Relabel?"}.get(item.action, "")


def _format_time(created: str) -> str:
    try:
        return f"{datetime.fromisoformat(created):%Y-%m-%d %H:%M}"
    except ValueError:
        return created
