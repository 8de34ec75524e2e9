"""Decisions about suspected pictures: in which form they are kept, and that none is lost."""

import csv
import errno
import json

import pytest
from fastapi.testclient import TestClient

from discern.data.sources.folder import load_folder
from discern.data.splitting.fixes import apply_fixes, load_fixes
from discern.errors import DataError
from discern.serving.candidates import load_candidates
from discern.serving.decisions import Decisions
from discern.serving.guard import Access
from discern.serving.review import Review
from discern.serving.review_app import create_review_app

CLASSES = ["blue", "green", "red"]


@pytest.fixture
def audited(photos, tmp_path):
    """A run folder with an audit of two findings: a suspected label, and three copies of a picture."""

    def item(names, **fields):
        ids = [f"{name}.png" for name in names]
        paths = [str(photos / name) for name in ids]
        labels = [name.split("/")[0] for name in names]
        return {"ids": ids, "paths": paths, "labels": labels, "splits": ["train"] * len(ids), "score": 0.9, **fields}

    labels = item(["red/3"], detail="looks blue", action="relabel", suggested_label="blue")
    copies = item(["red/1", "green/2", "red/3"], detail="the same pixels", action="drop", suggested_label=None)
    findings = [
        {"kind": "copies", "severity": "warning", "title": "Copies", "explanation": "Keep one.", "items": [copies]},
        {"kind": "labels", "severity": "error", "title": "Labels", "explanation": "Look again.", "items": [labels]},
    ]
    (tmp_path / "audit.json").write_text(json.dumps({"format": "discern-audit", "findings": findings}))
    return tmp_path


def open_review(folder, token=None):
    candidates = load_candidates(folder, None)
    app = create_review_app(
        Review("run", candidates, CLASSES, Decisions(folder / "overrides.csv")), Access(None, token)
    )
    return TestClient(app, base_url="http://localhost")


def read_rows(folder):
    with (folder / "overrides.csv").open(newline="", encoding="utf-8") as file:
        return [[row[name] for name in ("path", "action", "old", "new")] for row in csv.DictReader(file)]


def test_the_serious_come_first_and_each_picture_once(audited):
    found = open_review(audited).get("/review").json()
    assert [(one["id"], one["suggested"]) for one in found["pictures"]] == [
        ("red/3.png", "blue"),
        ("green/2.png", None),
    ]
    first = found["pictures"][0]
    assert first["details"] == ["looks blue", "the same pixels"]
    assert [other["id"] for other in first["related"]] == ["red/1.png", "green/2.png"]
    assert "path" not in first


def test_decisions_are_in_the_file_before_they_are_answered(audited, photos):
    client = open_review(audited)
    client.post("/review/0", json={"action": "relabel", "label": "blue"})
    assert read_rows(audited) == [[str(photos / "red/3.png"), "relabel", "red", "blue"]]
    client.post("/review/1", json={"action": "drop"})
    client.post("/review/0", json={"action": "keep"})
    assert read_rows(audited)[1:] == [
        [str(photos / "green/2.png"), "drop", "green", ""],
        [str(photos / "red/3.png"), "keep", "red", ""],
    ]


def test_undoing_takes_the_last_row_away_and_the_earlier_holds_again(audited):
    client = open_review(audited)
    client.post("/review/0", json={"action": "drop"})
    client.post("/review/0", json={"action": "keep"})
    assert client.post("/undo").json()["index"] == 0
    assert [row[1] for row in read_rows(audited)] == ["drop"]
    assert client.get("/review").json()["pictures"][0]["decision"]["action"] == "drop"
    client.post("/undo")
    assert read_rows(audited) == []
    refused = client.post("/undo")
    assert refused.json()["error"]["reason"] == "nothing is decided, so there is nothing to undo"


def test_a_review_goes_on_where_it_ended(audited):
    open_review(audited).post("/review/0", json={"action": "keep"})
    again = open_review(audited)
    assert [bool(one["decision"]) for one in again.get("/review").json()["pictures"]] == [True, False]
    again.post("/review/1", json={"action": "drop"})
    assert [row[1] for row in read_rows(audited)] == ["keep", "drop"]


def test_odd_paths_come_back_whole(tmp_path):
    decisions = Decisions(tmp_path / "overrides.csv")
    odd = ['a, "b".png', "new\nline.png", "=1+1.png", "ümlaut.png"]
    for path in odd:
        decisions.add(path, "relabel", old="x,y", new='"z"')
    again = Decisions(tmp_path / "overrides.csv")
    assert list(again.find()) == odd
    assert again.find()[odd[0]].new == '"z"'


def test_a_decision_that_cannot_be_written_is_none_and_says_why(audited, monkeypatch):
    client = open_review(audited)
    client.post("/review/0", json={"action": "keep"})
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only file system")))
        refused = client.post("/review/1", json={"action": "drop"})
        assert (refused.status_code, refused.json()["error"]["reason"]) == (
            422,
            f"{audited / 'overrides.csv'} cannot be written: the disk is read-only. Make it writable, then try again",
        )
        assert client.post("/undo").status_code == 422
    assert [row[1] for row in read_rows(audited)] == ["keep"]
    assert [bool(one["decision"]) for one in client.get("/review").json()["pictures"]] == [True, False]


def test_what_is_no_decision_is_refused(audited):
    client = open_review(audited)
    assert client.post("/review/0", json={"action": "delete"}).status_code == 422
    assert client.post("/review/0", json={"action": "relabel", "label": "cat"}).json()["error"]["reason"] == (
        "there is no class 'cat'"
    )
    assert client.post("/review/9", json={"action": "keep"}).status_code == 404
    assert client.get("/review/0/9").status_code == 404
    assert not (audited / "overrides.csv").exists()


def test_pictures_are_shown_by_place_alone_and_with_the_token(audited):
    client = open_review(audited, token="secret")
    assert client.get("/review/0/0").status_code == 401
    given = {"Authorization": "Bearer secret"}
    for place in range(3):
        assert client.get(f"/review/0/{place}", headers=given).headers["content-type"] == "image/jpeg"
    assert client.get("/").status_code == 200


def test_without_an_audit_the_surest_mistakes_come_first(tmp_path):
    (tmp_path / "evaluation").mkdir()
    rows = ["a,a.png,test,red,blue,0.6", "b,b.png,test,red,red,0.9", "c,c.png,test,blue,red,0.8"]
    text = "\n".join(["id,path,split,true,predicted,confidence", *rows])
    (tmp_path / "evaluation" / "predictions.csv").write_text(text)
    found = load_candidates(tmp_path, None)
    assert [(one.id, one.label, one.suggested) for one in found] == [("c", "blue", "red"), ("a", "red", "blue")]


def test_without_either_it_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"neither an audit nor predictions; give the folder of one by audit=..."):
        load_candidates(tmp_path, None)
    with pytest.raises(
        DataError, match="No such file or directory; give the folder that discern audit wrote by audit="
    ):
        load_candidates(tmp_path, tmp_path / "elsewhere")


def test_a_file_of_another_form_is_left_alone(tmp_path):
    path = tmp_path / "overrides.csv"
    path.write_text("image,verdict\na,b\n")
    with pytest.raises(DataError, match="its columns are image, verdict; expected path, action, old, new, time"):
        Decisions(path)
    path.write_text("path,action,old,new,time\na,keep,b,,now\nc,ke")
    with pytest.raises(DataError, match="other columns in row 2;"):
        Decisions(path)


def test_the_next_training_obeys_the_last_decision_of_a_picture(photos, tmp_path):
    table = load_folder(photos)
    decisions = Decisions(tmp_path / "overrides.csv")
    dropped, relabelled, kept = (str(photos / name) for name in ("blue/0.png", "green/1.png", "red/2.png"))
    decisions.add(dropped, "keep", old="blue")
    decisions.add(dropped, "drop", old="blue")
    decisions.add(relabelled, "relabel", old="green", new="red")
    decisions.add(kept, "drop", old="red")
    decisions.add(kept, "keep", old="red")
    fixed = apply_fixes(table, [load_fixes(decisions.path)])
    assert fixed.dropped == ("blue/0.png",)
    labels = dict(zip(fixed.table.frame["path"], fixed.table.frame["label"], strict=True))
    assert (len(labels), labels[relabelled], labels[kept]) == (35, "red", "red")


def test_what_the_audit_says_comes_before_the_mistakes_and_a_picture_once(audited, photos):
    (audited / "evaluation").mkdir()
    rows = [f"{name},{photos / name},test,red,green,0.9" for name in ("red/3.png", "red/7.png")]
    text = "\n".join(["id,path,split,true,predicted,confidence", *rows])
    (audited / "evaluation" / "predictions.csv").write_text(text)
    found = load_candidates(audited, None)
    assert [one.id for one in found] == ["red/3.png", "green/2.png", "red/7.png"]
    assert found[0].details == ["looks blue", "the same pixels"]
    assert (found[0].taken_for.label, found[0].taken_for.confidence) == ("green", 0.9)
    assert [one.id for one in load_candidates(audited, audited)] == ["red/3.png", "green/2.png"]
