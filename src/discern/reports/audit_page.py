"""The page of a data audit, audit.html: the problems of pictures and labels, with the pictures."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from discern.auditing.record import AuditRecord, FindingRecord, ItemRecord, read_audit_record
from discern.data.reading.decode import MAX_PIXELS
from discern.data.reading.thumbnails import encode_thumbnail, load_thumbnail
from discern.data.table import ImageTable
from discern.errors import BadImageError, cut, name_some
from discern.files import write_atomically
from discern.reports.pages import render_page
from discern.reports.wording import count_of

LoadThumbnail = Callable[[str], bytes | None]
"""Returns a JPEG file of a picture by its path, or by its id where it has none; None if it cannot be read."""

MAX_ITEMS = 60
"""Largest number of items of a finding on the page."""

_MAX_PICTURES = 6
_IMAGE_BYTES = 3_000_000
_SEVERITIES = ("error", "warning", "note")


class AuditPicture(NamedTuple):
    """One picture of an item, with its label, its split and, where it is one of several, what is proposed for it."""

    name: str
    label: str
    split: str
    jpeg: bytes | None
    advice: str = ""


class ShownItem(NamedTuple):
    """An item with its pictures side by side; `left_out` more pictures are not shown."""

    item: ItemRecord
    pictures: tuple[AuditPicture, ...]
    left_out: int
    advice: str


@dataclass(frozen=True)
class ShownFinding:
    """A section of the page; `more` items are in audit.json only."""

    finding: FindingRecord
    anchor: str
    items: tuple[ShownItem, ...]
    more: int


def write_audit_page(
    audit: Mapping[str, Any], table: ImageTable, page: str | Path, *, max_pixels: int = MAX_PIXELS
) -> None:
    """Write audit.html.

    Args:
        audit: The content of audit.json.
        table: The pictures that were audited; the page names those that cannot be read.
        page: The file to write.
        max_pixels: A picture with more is not shown.

    Raises:
        DataError: `audit` does not have the form of an audit.json.
    """
    rows = {name: row for column in ("id", "path") for row, name in enumerate(table.frame[column])}

    def load(path_or_id: str) -> bytes | None:
        try:
            return encode_thumbnail(load_thumbnail(table, rows[path_or_id], max_pixels=max_pixels))
        except (BadImageError, KeyError):
            return None

    write_atomically(Path(page), build_audit_page(audit, load))


def build_audit_page(audit: Mapping[str, Any], load_thumbnail: LoadThumbnail) -> str:
    """Return the HTML of an audit.

    Args:
        audit: The content of audit.json.
        load_thumbnail: Called for each picture that is shown, until the page has 3 MB of pictures.

    Raises:
        DataError: `audit` does not have the form of an audit.json.
    """
    record = read_audit_record(audit)
    found = [finding for finding in record.findings if finding.count or finding.items]
    found.sort(key=lambda finding: _SEVERITIES.index(finding.severity) if finding.severity in _SEVERITIES else 1)
    largest = max(record.class_counts.values(), default=1)
    return render_page(
        "audit.html.jinja",
        {
            "audit": record,
            "created": _format_time(record.created),
            "findings": list(_show_findings(found, load_thumbnail)),
            "clean": [finding for finding in record.findings if finding not in found],
            "classes": [(name, count, count / max(1, largest)) for name, count in record.class_counts.items()],
            "summary": _summarise(record, found),
        },
    )


def _summarise(audit: AuditRecord, found: list[FindingRecord]) -> str:
    audited = f"{count_of(audit.count, 'picture')} of {count_of(len(audit.class_names), 'class', 'classes')}"
    if not found:
        return f"No problem was found in {audited}."
    numbers = {severity: sum(finding.severity == severity for finding in found) for severity in _SEVERITIES}
    nouns = {"error": ("problem", "problems"), "warning": ("warning", "warnings"), "note": ("note", "notes")}
    parts = [count_of(number, *nouns[severity]) for severity, number in numbers.items() if number]
    return f"{audited} were checked: {', '.join(parts)}."


def _show_findings(found: list[FindingRecord], load_thumbnail: LoadThumbnail) -> Iterator[ShownFinding]:
    """Give each finding an equal share of the bytes; the next ones share what it does not use."""
    left_bytes = _IMAGE_BYTES
    for place, finding in enumerate(found):
        budget = left_bytes // (len(found) - place)
        items: list[ShownItem] = []
        for item in finding.items[:MAX_ITEMS]:
            if budget <= 0:
                break
            items.append(_show_item(item, load_thumbnail))
            used = sum(len(picture.jpeg or b"") for picture in items[-1].pictures)
            budget, left_bytes = budget - used, left_bytes - used
        more = max(finding.count, len(finding.items)) - len(items) if finding.items else 0
        yield ShownFinding(finding, f"finding-{place + 1}", tuple(items), more)


def _show_item(item: ItemRecord, load_thumbnail: LoadThumbnail) -> ShownItem:
    others = zip_longest(item.ids, item.paths, item.labels, item.splits, fillvalue=None)
    rows = list(zip(item.ids, others, strict=False))
    pictures = tuple(
        AuditPicture(name, label or "", split or "", load_thumbnail(path or name), _advise_one(item, name))
        for name, (_, path, label, split) in rows[:_MAX_PICTURES]
    )
    return ShownItem(item, pictures, len(rows) - len(pictures), _advise(item))


def _advise_one(item: ItemRecord, name: str) -> str:
    """Return what is proposed for one of several pictures, so that nobody has to guess which of them goes."""
    if len(item.ids) < 2 or item.action != "drop" or not item.action_ids:
        return ""
    return "leave out?" if name in item.action_ids else "stays"


def _advise(item: ItemRecord) -> str:
    if item.action == "drop" and len(item.ids) > 1 and item.action_ids:
        names = [cut(name, 60) for name in item.action_ids]
        chosen = "all of them" if len(names) == len(item.ids) else name_some(names, shown=3)
        return f"Leave out {chosen}?"
    if item.action == "relabel" and item.suggested_label is not None:
        return f"Relabel as “{cut(item.suggested_label, 40)}”?"
    return {"drop": "Leave out?", "group": "Keep in the same split.", "relabel": "Relabel?"}.get(item.action, "")


def _format_time(created: str) -> str:
    try:
        return f"{datetime.fromisoformat(created):%Y-%m-%d %H:%M}"
    except ValueError:
        return created
