"""Passes requests on to the page of a task, and its answers back as they come."""

import http.client
from collections.abc import Iterator
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from discern.serving.refusals import NOT_FOUND, OVERLOADED, Refusal
from discern.studio.task import Address

_ASKED = ("accept", "content-type", "if-none-match")
_ANSWERED = ("content-type", "content-disposition", "cache-control", "etag", "retry-after")
_TIMEOUT_SECONDS = 55.0
_CHUNK_BYTES = 64 * 1024


async def pass_on(request: Request, address: Address | None, path: str) -> Response:
    """Return the answer of a task's page; its token takes the place of the studio's, which the guard has checked.

    Raises:
        Refusal: The page is not served any more, or does not answer.
    """
    if address is None:
        raise Refusal(NOT_FOUND, "this page has ended; open it again")
    body = await request.body()
    return await run_in_threadpool(_ask, request, address, path, body)


def _ask(request: Request, address: Address, path: str, body: bytes) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=_TIMEOUT_SECONDS)
    headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
    query = f"?{request.url.query}" if request.url.query else ""
    try:
        connection.request(
            request.method,
            f"/{quote(path)}{query}",
            body=body or None,
            headers={**headers, "Authorization": f"Bearer {address.token}"},
        )
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException):
        connection.close()
        raise Refusal(OVERLOADED, "the page does not answer; if it stays so, open it again") from None
    shown = {name: value for name in _ANSWERED if (value := answer.headers.get(name)) is not None}
    return StreamingResponse(_read(answer, connection), answer.status, headers=shown)


def _read(answer: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> Iterator[bytes]:
    try:
        while chunk := answer.read1(_CHUNK_BYTES):
            yield chunk
    finally:
        connection.close()
