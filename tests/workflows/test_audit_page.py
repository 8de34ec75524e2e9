"""The page of an audit from the pictures themselves, in files and in memory."""

import numpy as np

from discern.data.sources.load import load_table
from discern.reports.audit_files import write_audit_page
from html_checks import check_page


def make_audit(ids, paths):
    item = {"ids": ids, "paths": paths}
    finding = {"kind": "tiny", "severity": "note", "title": "tiny pictures", "count": 1, "items": [item]}
    return {"count": 3, "findings": [finding]}


def read_page(path):
    return check_page(path.read_text(encoding="utf-8"))


def test_pictures_in_files_are_shown_and_missing_ones_named(photos, tmp_path):
    table = load_table(photos)
    ids, paths = list(table.frame["id"][:2]), list(table.frame["path"][:2])
    audit = make_audit([*ids, "gone.png"], [*paths, "/nowhere/gone.png"])
    write_audit_page(audit, table, tmp_path / "audit.html")
    page = read_page(tmp_path / "audit.html")
    assert len(page.find("img")) == 2
    assert "Picture gone.png: cannot be read any more" in page.text


def test_pictures_in_memory_are_shown(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), dtype=np.uint8)
    table = load_table((images, np.array(["ant", "bee", "ant", "bee"])))
    write_audit_page(make_audit(list(table.frame["id"][:2]), ["", ""]), table, tmp_path / "audit.html")
    assert len(read_page(tmp_path / "audit.html").find("img")) == 2
