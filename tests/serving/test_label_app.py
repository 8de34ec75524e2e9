"""The application of a labelling: what it sends, keeps and refuses."""

from fastapi.testclient import TestClient

from discern.errors import DiscernError
from discern.serving.guard import Access
from discern.serving.label_app import create_label_app
from discern.serving.pages import load_pages


def open_client(session, token=None, finish=lambda: None):
    return TestClient(create_label_app(session, Access(None, token), finish), base_url="http://localhost")


def test_answers_reach_the_session_and_the_next_question_comes_back(session):
    client = open_client(session)
    found = client.get("/labelling").json()
    assert (found["question"]["key"], found["question"]["why"], found["class_names"]) == (
        "0000",
        "diverse",
        ["red", "green"],
    )
    assert "path" not in found["question"]
    assert client.post("/answer", json={"key": "0000", "label": "red"}).json()["question"]["key"] == "0001"
    client.post("/no-label", json={"key": "0001", "reason": "none"})
    client.post("/confirm", json={"keys": ["0002", "0003"], "label": "blue"})
    found = client.post("/undo").json()
    assert found["question"]["key"] == "0003"
    assert found["progress"]["counts"] == {"red": 1, "green": 0, "blue": 1}
    assert found["next_step"] == f"discern train {session.journal_path}"
    assert session.answers == [("0000", "red", None), ("0001", "", "none"), ("0002", "blue", None)]


def test_what_makes_no_sense_is_refused_with_its_reason(session):
    client = open_client(session)
    assert client.post("/no-label", json={"key": "0000", "reason": "bored"}).status_code == 422
    assert client.post("/answer", json={"key": "../x", "label": "red"}).json()["error"]["reason"] == (
        "there is no picture '../x'"
    )
    assert client.get("/picture", params={"key": "/etc/passwd"}).status_code == 422
    assert client.get("/picture", params={"key": "0000", "size": "huge"}).status_code == 422
    assert client.post("/undo").status_code == 404
    assert client.get("/alike").json() is None
    session.error = DiscernError("labels.csv cannot be written: no space left on the disk")
    assert "no space left" in client.post("/answer", json={"key": "0000", "label": "red"}).json()["error"]["reason"]
    assert session.answers == []


def test_pictures_and_answers_need_the_token(session):
    client = open_client(session, token="secret")
    assert [client.get(path).status_code for path in ("/", "/labelling", "/picture?key=0000")] == [200, 401, 401]
    assert client.post("/answer", json={"key": "0000", "label": "red"}).status_code == 401
    given = {"Authorization": "Bearer secret"}
    sizes = [
        len(client.get("/picture", params={"key": "0000", "size": size}, headers=given).content)
        for size in ("small", "whole", "zoomed")
    ]
    assert all(sizes)


def test_the_page_names_its_files_relative_to_itself():
    html = load_pages()["label.html"].content.decode()
    assert 'src="static/label.js"' in html
    assert '="/' not in html
