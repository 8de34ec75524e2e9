"""The page of an audit: what it shows, what it leaves out, and that names stay text."""

import io
import json

import numpy as np
import pytest

from discern.auditing.record import load_audit_record
from discern.data.sources.load import load_table
from discern.errors import DataError
from discern.reports.audit_page import MAX_ITEMS, build_audit_page, write_audit_page
from discern.workflows.audit import audit
from html_checks import Page, check_page
from pictures import draw_photo
from saved_runs import HOSTILE_NAMES


def encode_photo(seed: int = 0, size: int = 40) -> bytes:
    buffer = io.BytesIO()
    draw_photo((200, 40, 40), seed, size=size).save(buffer, format="JPEG")
    return buffer.getvalue()


def make_item(*names: str, **changes: object) -> dict:
    item = {
        "ids": list(names),
        "paths": [f"/photos/{name}" for name in names],
        "labels": ["ant"] * len(names),
        "splits": ["train", "test"][: len(names)],
        "detail": "identical pixels",
        "score": None,
        "action": "none",
        "suggested_label": None,
    }
    return item | changes


def make_audit(*findings: dict, **changes: object) -> dict:
    audit = {
        "format": "discern-audit",
        "format_version": 1,
        "discern_version": "0.2.0",
        "source": "/data/insects",
        "form": "full",
        "created": "2026-11-25T17:30:00+00:00",
        "count": 1234,
        "class_names": ["ant", "bee"],
        "class_counts": {"ant": 1000, "bee": 234},
        "splits": {"train": 1000, "test": 234},
        "balance": {
            "smallest_class": "bee",
            "smallest_count": 234,
            "largest_class": "ant",
            "largest_count": 1000,
            "expected_interval_width": {"validation": None, "test": 0.12},
            "explanation": "Ants are four times as many.",
        },
        "findings": list(findings),
    }
    return audit | changes


def make_finding(kind: str, *items: dict, severity: str = "warning", **changes: object) -> dict:
    finding = {
        "kind": kind,
        "severity": severity,
        "title": kind.replace("_", " "),
        "explanation": f"Why {kind} matter.",
        "count": len(items),
        "items": list(items),
    }
    return finding | changes


def build_page(audit: dict, photo: bytes | None = None) -> Page:
    return check_page(build_audit_page(audit, lambda _: photo))


def test_findings_stand_in_the_order_of_their_weight():
    findings = [
        make_finding(f"{severity}_kind", make_item("a.png"), severity=severity)
        for severity in ("note", "error", "warning")
    ]
    page = build_page(make_audit(*findings))
    assert "Error kind (1)" in page.text
    assert "1 234 pictures of 2 classes were checked: 1 problem, 1 warning, 1 note." in page.text
    places = [page.text.index(f"Why {severity}_kind matter.") for severity in ("error", "warning", "note")]
    assert places == sorted(places)


def test_duplicates_stand_side_by_side_with_their_labels_and_splits():
    asked = []

    def load(path: str) -> bytes:
        asked.append(path)
        return encode_photo()

    finding = make_finding("duplicates", make_item("a.png", "b.png", action="drop"))
    page = check_page(build_audit_page(make_audit(finding), load))
    assert asked == ["/photos/a.png", "/photos/b.png"]
    assert len(page.find("img")) == 2
    assert "ant train a.png" in page.text
    assert "ant test b.png" in page.text
    assert "Leave out?" in page.text


def test_of_copies_each_is_said_to_stay_or_to_go():
    item = make_item("first.jpg", "second.jpg", action="drop", action_ids=["second.jpg"])
    text = build_audit_page(make_audit(make_finding("exact_duplicates", item)), lambda _: None)
    assert "Leave out second.jpg?" in text
    before, after = text.split("stays", 1)
    assert "first.jpg" in before
    assert "leave out?" in after


def test_a_label_error_has_the_given_and_the_suggested_label():
    finding = make_finding("label_errors", make_item("a.png", action="relabel", suggested_label="bee"))
    page = build_page(make_audit(finding), encode_photo())
    assert "Labelled ant , looks like bee" in page.text
    assert "Relabel as “bee”?" in page.text


def test_pictures_in_memory_are_asked_for_by_their_id():
    asked = []
    finding = make_finding("tiny", make_item("number 7", paths=[""]))
    build_audit_page(make_audit(finding), asked.append)
    assert asked == ["number 7"]


def test_a_picture_that_cannot_be_read_is_said_to_be():
    page = build_page(make_audit(make_finding("tiny", make_item("a.png"))))
    assert "cannot be read any more" in page.text
    assert not page.find("img")


def test_of_many_items_some_are_shown_and_the_others_counted():
    finding = make_finding("duplicates", *[make_item(f"{number}.png") for number in range(90)], count=372)
    page = build_page(make_audit(finding), encode_photo())
    assert len(page.find("img")) == MAX_ITEMS
    assert "and 312 more in audit.json ." in page.text


def test_the_page_stays_small_whatever_is_found():
    photo = encode_photo(size=400)
    kinds = [
        make_finding(f"kind_{kind}", *[make_item(*map(str, range(9)), splits=[], labels=[]) for _ in range(80)])
        for kind in range(8)
    ]
    html = build_audit_page(make_audit(*kinds), lambda _: photo)
    page = check_page(html)
    assert len(html) < 6_000_000
    for kind in range(8):
        assert f"Why kind_{kind} matter." in page.text
    assert "and 3 more pictures" in page.text


def test_nothing_found_is_said():
    page = build_page(make_audit(make_finding("tiny_pictures")))
    assert "No problem was found in 1 234 pictures of 2 classes." in page.text
    assert "Checked without a finding: tiny pictures." in page.text


def test_names_stay_text():
    items = [make_item(name, labels=[name], suggested_label=name, detail=name) for name in HOSTILE_NAMES]
    finding = make_finding("label_errors", *items, title=HOSTILE_NAMES[0], explanation=HOSTILE_NAMES[1])
    counts = dict.fromkeys(HOSTILE_NAMES, 3)
    page = build_page(make_audit(finding, class_counts=counts, class_names=list(counts), source=HOSTILE_NAMES[7]))
    assert "<script>alert(1)</script>" in page.text
    assert not [
        attributes for attributes in page.find("img", "svg") if "onerror" in attributes or "onload" in attributes
    ]


def test_classes_and_what_to_expect_of_them():
    page = build_page(make_audit())
    assert "Ants are four times as many." in page.text
    assert "Largest class ant , 1 000 pictures" in page.text
    assert "Expected interval on test about 12 percentage points wide" in page.text
    assert "validation" not in page.text


def test_an_old_or_broken_audit_is_refused_in_words():
    with pytest.raises(DataError, match=r"not the audit.json of this version of discern: count: Field required"):
        build_audit_page({"format": "discern-audit"}, lambda _: None)


def make_tiny_audit(ids, paths):
    item = {"ids": ids, "paths": paths}
    finding = {"kind": "tiny", "severity": "note", "title": "tiny pictures", "count": 1, "items": [item]}
    return {"count": 3, "findings": [finding]}


def test_pictures_in_files_are_shown_and_missing_ones_named(photos, tmp_path):
    table = load_table(photos)
    ids, paths = list(table.frame["id"][:2]), list(table.frame["path"][:2])
    audit = make_tiny_audit([*ids, "gone.png"], [*paths, "/nowhere/gone.png"])
    write_audit_page(audit, table, tmp_path / "audit.html")
    page = check_page((tmp_path / "audit.html").read_text(encoding="utf-8"))
    assert len(page.find("img")) == 2
    assert "Picture gone.png: cannot be read any more" in page.text


def test_pictures_in_memory_are_shown(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), dtype=np.uint8)
    table = load_table((images, np.array(["ant", "bee", "ant", "bee"])))
    write_audit_page(make_tiny_audit(list(table.frame["id"][:2]), ["", ""]), table, str(tmp_path / "audit.html"))
    assert len(check_page((tmp_path / "audit.html").read_text(encoding="utf-8")).find("img")) == 2


def test_the_schema_reads_what_an_audit_writes(photos, tmp_path):
    audit(photos, out=tmp_path, form="quick")
    content = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    record = load_audit_record(str(tmp_path / "audit.json"))
    assert (record.count, record.form, record.class_counts) == (content["count"], "quick", content["class_counts"])
    assert record.balance is not None
    assert record.balance.model_dump() == content["balance"]
    assert [finding.count for finding in record.findings] == [len(finding["items"]) for finding in content["findings"]]


@pytest.mark.parametrize("content", ["", "[1, 2", "[]", "{}"])
def test_a_damaged_audit_is_refused(content, tmp_path):
    (tmp_path / "audit.json").write_text(content)
    with pytest.raises(DataError, match=r"is damaged|is not the audit\.json of this version of discern"):
        load_audit_record(tmp_path / "audit.json")
