"""The page of a data audit, with its pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from discern.data.reading.decode import MAX_PIXELS
from discern.data.reading.thumbnails import encode_thumbnail, load_thumbnail
from discern.data.table import ImageTable
from discern.errors import BadImageError
from discern.files import write_atomically
from discern.reports.audit_page import build_audit_page


def write_audit_page(audit: Mapping[str, Any], table: ImageTable, page: Path, *, max_pixels: int = MAX_PIXELS) -> None:
    """Write audit.html.

    Args:
        audit: What audit.json holds.
        table: The pictures that were audited; what cannot be read of them is said on the page.
        page: The file to write.
        max_pixels: A picture with more is not shown.
    """
    rows = {name: row for column in ("id", "path") for row, name in enumerate(table.frame[column])}

    def load(path_or_id: str) -> bytes | None:
        try:
            return encode_thumbnail(load_thumbnail(table, rows[path_or_id], max_pixels=max_pixels))
        except (BadImageError, KeyError):
            return None

    write_atomically(page, build_audit_page(audit, load))
