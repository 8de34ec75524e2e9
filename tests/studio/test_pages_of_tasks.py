"""What passes between the page of a task and the browser, and the stream that says how tasks are."""

import asyncio
import json
from contextlib import contextmanager

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.testclient import TestClient

from discern.serving.guard import Access
from discern.studio.app import create_studio_app
from discern.studio.events import stream_tasks
from discern.studio.places import Places
from discern.studio.studio import Studio
from discern.studio.task import Address
from discern.studio.tasks import Tasks
from discern.studio.uploads import Uploads
from served import serving


def build_inner():
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def say(path: str, request: Request):
        if path == "slow":
            return StreamingResponse((part for part in ("one ", "two")), media_type="text/plain")
        body = await request.body()
        seen = {"path": path, "query": request.url.query, "body": body.decode(), "headers": dict(request.headers)}
        return PlainTextResponse(json.dumps(seen), headers={"Set-Cookie": "a=b", "Content-Security-Policy": "x"})

    return app


@contextmanager
def behind(root, address, monkeypatch):
    monkeypatch.setattr(Tasks, "find", lambda *_: type("Task", (), {"find_address": lambda _: address})())
    app = create_studio_app(root, Access({"localhost"}, "token"))
    with TestClient(app, base_url="http://localhost", headers={"Authorization": "Bearer token"}) as client:
        yield client


def test_requests_come_with_the_token_of_the_task_and_answers_with_the_headers_of_the_studio(root, monkeypatch):
    with serving(build_inner()) as address:
        port = int(address.rpartition(":")[2])
        with behind(root, Address(port, "inner"), monkeypatch) as client:
            answer = client.post("/pages/3/review/a%20b?x=1", content=b"body", headers={"Cookie": "c=d"})
            seen = answer.json()
            assert (seen["path"], seen["query"], seen["body"]) == ("review/a b", "x=1", "body")
            assert seen["headers"]["authorization"] == "Bearer inner"
            assert not {"cookie", "origin"} & set(seen["headers"])
            assert "frame-src" in answer.headers["Content-Security-Policy"]
            assert "Set-Cookie" not in answer.headers
            assert client.get("/pages/3/slow").text == "one two"
            assert client.get("/pages/3/static/../x").status_code == 200
            assert client.get("/pages/3/", headers={"Authorization": ""}).json()["path"] == ""
            assert client.get("/pages/3/predict", headers={"Authorization": ""}).status_code == 401


def test_a_page_that_has_ended_says_so(root, monkeypatch):
    with behind(root, None, monkeypatch) as client:
        assert client.get("/pages/3/").json()["error"]["reason"] == "this page has ended; open it again"
    with behind(root, Address(1, "inner"), monkeypatch) as client:
        assert client.get("/pages/3/").status_code == 503


@pytest.fixture
def studio(root):
    places = Places(root)
    return Studio(places, Tasks(root), Uploads(places), lambda: False)


def test_a_stream_says_what_is_and_then_what_changes(studio, monkeypatch):
    said = iter([[{"number": 1}], [{"number": 1}], [{"number": 1, "state": "done"}]])
    monkeypatch.setattr(studio.tasks, "describe", lambda: next(said))
    monkeypatch.setattr("discern.studio.events._POLL_SECONDS", 0.01)

    async def read():
        stream = stream_tasks(studio)
        return [await anext(stream), await anext(stream)]

    first, second = asyncio.run(read())
    assert first == 'data: [{"number": 1}]\n\n'
    assert json.loads(second.removeprefix("data: "))[0]["state"] == "done"


def test_a_stream_ends_with_the_studio(root):
    places = Places(root)
    closing = Studio(places, Tasks(root), Uploads(places), lambda: True)

    async def read():
        return [event async for event in stream_tasks(closing)]

    assert asyncio.run(read()) == []
