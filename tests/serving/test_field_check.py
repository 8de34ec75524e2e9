"""The page that asks for labels: what it shows, what it keeps, and a person who answers in a browser."""

import csv
import threading

import pytest
from starlette.testclient import TestClient

from discern.serving.decisions import Decisions
from discern.serving.field_check import FieldSample
from discern.serving.field_check_app import create_field_check_app
from discern.serving.guard import Access, build_access
from discern.serving.running import open_listener, run_until_finished

CLASSES = ("blue", "green", "red")


@pytest.fixture
def sample(photos, tmp_path):
    names = ["red/1.png", "green/2.png", "blue/3.png"]
    return FieldSample(
        "new", names, [str(photos / name) for name in names], CLASSES, Decisions(tmp_path / "labels.csv")
    )


def read_rows(sample):
    with sample.answers.path.open(newline="", encoding="utf-8") as file:
        return [(row["path"], row["action"], row["new"]) for row in csv.DictReader(file)]


def open_client(sample, token=None, finish=lambda: None):
    return TestClient(create_field_check_app(sample, Access(None, token), finish), base_url="http://localhost")


def test_each_answer_is_in_the_file_and_the_last_holds(sample):
    client = open_client(sample)
    assert client.get("/label").json()["pictures"][0] == {"id": "red/1.png", "decision": None}
    for index, action, label in ((0, "label", "red"), (1, "none", ""), (2, "skip", ""), (0, "label", "blue")):
        assert client.post(f"/label/{index}", json={"action": action, "label": label}).status_code == 200
    assert read_rows(sample)[2:] == [("blue/3.png", "skip", ""), ("red/1.png", "label", "blue")]
    assert sample.num_open == 0
    assert client.post("/undo").json() == {"index": 0}
    again = FieldSample("new", sample.ids, sample.paths, CLASSES, Decisions(sample.answers.path))
    assert [one["decision"]["new"] for one in open_client(again).get("/label").json()["pictures"]] == ["red", "", ""]


def test_what_is_no_answer_is_refused(sample):
    client = open_client(sample)
    assert client.post("/label/0", json={"action": "keep"}).status_code == 422
    assert client.post("/label/0", json={"action": "label", "label": "cat"}).json()["error"]["reason"] == (
        "there is no class 'cat'"
    )
    assert client.post("/label/7", json={"action": "none"}).status_code == 404
    assert client.get("/label/-1").status_code == 404
    assert client.post("/undo").status_code == 404
    assert not sample.answers.path.exists()


def test_pictures_are_shown_with_the_token_alone(sample):
    client = open_client(sample, token="secret")
    assert client.get("/label/0").status_code == 401
    given = {"Authorization": "Bearer secret"}
    assert client.get("/label/0", headers=given).headers["content-type"] == "image/jpeg"


def test_a_person_labels_with_keys_alone_and_finishes(sample, browser):
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        access = build_access("127.0.0.1", (), "word")
        served = threading.Thread(
            target=run_until_finished, args=(lambda end: create_field_check_app(sample, access, end), listener)
        )
        served.start()
        page = browser.new_page()
        problems = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/#token=word")
        page.wait_for_selector("#picture:not([hidden])")
        assert page.locator("#classes button").all_inner_texts() == ["1 blue", "2 green", "3 red"]
        assert "familiar" not in page.content()
        for key, count in (("3", 1), ("0", 2), ("u", 1), ("2", 2), ("s", 3)):
            page.keyboard.press(key)
            page.get_by_text(f"{count} of 3 labelled", exact=True).wait_for()
        assert page.locator("#kind").inner_text() == "All are labelled"
        assert page.evaluate("document.activeElement.id") == "finish"
        page.select_option("#language", "de")
        page.get_by_text("3 von 3 beantwortet", exact=True).wait_for()
        assert page.locator("#kind").inner_text() == "Alle sind beantwortet"
        page.select_option("#language", "en")
        page.locator("h2").click()
        page.keyboard.press("f")
        page.wait_for_selector("#main", state="hidden")
        page.get_by_text("Finished. The numbers are where discern fieldcheck was started").wait_for()
        page.close()
        served.join(timeout=30)
        assert not served.is_alive()
    assert problems == []
    assert read_rows(sample) == [
        ("red/1.png", "label", "red"),
        ("green/2.png", "label", "green"),
        ("blue/3.png", "skip", ""),
    ]
