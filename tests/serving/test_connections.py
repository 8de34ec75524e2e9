"""Slow and idle clients: none is waited for without end, and none keeps others out."""

import asyncio
import contextlib
import socket
import threading

import httpx
import pytest

from discern.serving.connections import LimitedConnection
from discern.serving.limits import Limits
from served import serving


class Quick(LimitedConnection):
    limits = Limits(head_seconds=0.4, max_connections=8)


slow_has_begun = threading.Event()


async def echo(scope, receive, send):
    """Answer with the body of the request."""
    if scope["type"] != "http":
        raise NotImplementedError
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    if scope["path"] == "/slow":
        slow_has_begun.set()
        await asyncio.sleep(0.8)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def quick():
    with serving(echo, http=Quick, limit_concurrency=Quick.limits.max_connections + 1) as address:
        yield address.removeprefix("http://").split(":")


@contextlib.contextmanager
def connect(place, sent=b""):
    with socket.create_connection(place, timeout=10) as client:
        client.sendall(sent)
        yield client


def is_closed(client):
    try:
        return client.recv(1000) == b""
    except ConnectionResetError:
        return True


def test_what_is_no_request_is_refused_without_a_line_of_the_log(quick, caplog):
    with connect(quick, b"no request\r\n\r\n") as client:
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert caplog.text == ""


@pytest.mark.parametrize("begin", [b"", b"GET / HT"])
def test_a_client_that_sends_no_request_is_not_waited_for(quick, begin):
    with connect(quick, begin) as client:
        assert is_closed(client)


def test_bytes_that_come_one_by_one_give_no_more_time(quick):
    with connect(quick, b"GET / HTTP/1.1\r\nX: ") as client:
        client.settimeout(0.1)
        for _ in range(50):
            client.sendall(b"x")
            with contextlib.suppress(TimeoutError):
                assert is_closed(client)
                return
    raise AssertionError("it was never closed")


def test_the_second_request_of_a_connection_has_no_more_time_than_the_first(quick):
    with connect(quick, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        client.sendall(b"GET / HT")
        assert is_closed(client)


def test_a_request_that_takes_longer_is_answered(quick):
    with connect(quick, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_requests_that_are_sent_at_once_are_answered_in_their_order(quick):
    posts = (b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n" + body for body in (b"1", b"2"))
    last = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n3"
    with connect(quick, b"".join([*posts, last])) as client:
        answers = client.makefile("rb").read()
    assert [part[:1] for part in answers.split(b"\r\n\r\n")[1:]] == [b"1", b"2", b"3"]


def test_idle_connections_make_room_for_new_ones_and_busy_ones_stay(quick):
    host, port = quick
    with contextlib.ExitStack() as stack:
        slow_has_begun.clear()
        busy = stack.enter_context(connect(quick, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"))
        assert slow_has_begun.wait(10)
        idle = [stack.enter_context(connect(quick)) for _ in range(2 * Quick.limits.max_connections)]
        assert httpx.get(f"http://{host}:{port}/", timeout=10).status_code == 200
        assert is_closed(idle[0])
        assert busy.recv(1000).startswith(b"HTTP/1.1 200 OK")
