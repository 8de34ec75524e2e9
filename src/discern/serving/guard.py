"""The guard before all routes: it checks who sends a request and its size, and adds headers to every answer."""

import asyncio
import hmac
import logging
import time
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from discern.serving.origins import answer_preflight, is_preflight, is_same_site
from discern.serving.refusals import (
    CLIENT_LEFT,
    FAILED,
    FORBIDDEN,
    MISDIRECTED,
    TOO_LARGE,
    TOO_SLOW,
    UNAUTHORISED,
    Refusal,
    refuse_overload,
)

logger = logging.getLogger("discern")

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), camera=(self)",
}
"""What every answer has, unless a route has its own; a page loads what is ours alone, and is in no frame."""

_FOREIGN = "the request comes from a page of another site"
_ADVICE = "if the page is yours, start the server with --allow-origin ORIGIN, such as http://localhost:3000"
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Access:
    """Who may send requests.

    `hosts` are the names by which the server may be called, or None for any; this stops pages of other sites whose name
    was made to point here (DNS rebinding). With `token`, every path but `open_paths` needs it. Pages of `origins` may
    ask from a browser; None where no other page ever may.
    """

    hosts: Collection[str] | None = None
    token: str | None = None
    open_paths: Container[str] = ()
    origins: Collection[str] | None = None

    def check(self, scope: Scope, headers: Headers) -> None:
        """Raise when a request must not be answered.

        Raises:
            Refusal: It is called by a wrong name, comes from another site, or lacks the token.
        """
        if self.hosts is not None and _read_host(headers.get("host", "")) not in self.hosts:
            raise Refusal(MISDIRECTED, "this server is not called by that name; start it with --allow-host NAME")
        is_asking_first = is_preflight(scope, headers)
        if (scope["method"] in _CHANGING or is_asking_first) and not self._knows_page(headers):
            raise Refusal(FORBIDDEN, _FOREIGN if self.origins is None else f"{_FOREIGN}; {_ADVICE}")
        if is_asking_first:
            return
        if self.token is not None and scope["path"] not in self.open_paths and not self.holds_token(headers):
            challenge = {"WWW-Authenticate": "Bearer"}
            raise Refusal(UNAUTHORISED, "the token is missing or wrong: Authorization: Bearer TOKEN", challenge)

    def find_origin(self, headers: Headers) -> str | None:
        """Return the allowed origin of the page that sends a request, if it comes from one."""
        origin = headers.get("origin")
        return origin if origin in (self.origins or ()) else None

    def _knows_page(self, headers: Headers) -> bool:
        """Return whether a request comes from our own page, an allowed one, or from no page at all."""
        if self.find_origin(headers) is not None:
            return True
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        return origin is None or is_same_site(origin, headers.get("host", ""))

    def holds_token(self, headers: Headers) -> bool:
        """Return whether the request has the token; takes the same time whatever it has."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        wanted = self.token or ""
        is_same = hmac.compare_digest(given.strip().encode(), wanted.encode())
        return is_same and kind.lower() == "bearer" and bool(wanted)


class Guard:
    """ASGI middleware: checks access and size before, and puts the headers on every answer, errors included."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        limits: Limits,
        metrics: Metrics,
        routes: Collection[str],
        headers: Mapping[str, str] = HEADERS,
    ) -> None:
        self._app = app
        self._access = access
        self._limits = limits
        self._metrics = metrics
        self._routes = routes
        self._headers = headers
        self._bytes_held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        reply = _Reply(send, self._access.find_origin(headers), self._headers)
        body = _Body(receive, self)
        try:
            await self._answer(scope, headers, body, reply)
        finally:
            self._bytes_held -= body.size
            route = _name_route(scope["path"], self._routes)
            self._metrics.requests.labels(route, str(reply.status or CLIENT_LEFT)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    async def _answer(self, scope: Scope, headers: Headers, body: "_Body", reply: "_Reply") -> None:
        try:
            self._access.check(scope, headers)
            body.check_announced(headers)
            answer = answer_preflight(headers) if is_preflight(scope, headers) else self._app
            async with asyncio.timeout(self._limits.request_seconds):
                await answer(scope, body, reply)
            return
        except ClientDisconnect:
            logger.info("%s %s: the client left before it had sent all", scope["method"], scope["path"])
            return
        except Refusal as found:
            refusal = found
        except TimeoutError:
            refusal = Refusal(TOO_SLOW, f"it took longer than {self._limits.request_seconds:g} s")
        except Exception:  # our own fault: all of it in the log, and none of it for the client
            logger.exception("%s %s failed", scope["method"], scope["path"])
            refusal = Refusal(FAILED, "the server failed; its log says why")
        if reply.status is None:
            await refusal.to_response()(scope, body, reply)

    def hold(self, count: int) -> None:
        """Count bytes that were received.

        Raises:
            Refusal: All requests together hold too many.
        """
        if self._bytes_held + count > self._limits.max_bytes_held:
            raise refuse_overload("too much is being uploaded already")
        self._bytes_held += count

    @property
    def max_bytes(self) -> int:
        """How large a body may be."""
        return self._limits.max_bytes


class _Body:
    """The body of a request, counted as it comes."""

    def __init__(self, receive: Receive, guard: Guard) -> None:
        self._receive = receive
        self._guard = guard
        self.size = 0

    def check_announced(self, headers: Headers) -> None:
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._guard.max_bytes:
            raise self._refuse()

    async def __call__(self) -> Message:
        message = await self._receive()
        count = len(message.get("body", b""))
        if self.size + count > self._guard.max_bytes:
            raise self._refuse()
        self._guard.hold(count)
        self.size += count
        return message

    def _refuse(self) -> Refusal:
        return Refusal(TOO_LARGE, f"the body is larger than the limit of {self._guard.max_bytes:,} bytes")


class _Reply:
    """The way back to the client: adds the headers, and keeps the status."""

    def __init__(self, send: Send, origin: str | None, headers: Mapping[str, str]) -> None:
        self._send = send
        self._origin = origin
        self._headers = headers
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            headers.add_vary_header("Origin")
            if self._origin is not None:
                headers["Access-Control-Allow-Origin"] = self._origin
                headers["Access-Control-Expose-Headers"] = "Retry-After"
        await self._send(message)


def build_access(
    host: str, allowed_hosts: Collection[str], token: str | None, origins: Collection[str] | None = None
) -> Access:
    """Return who may send requests to a server that listens at `host`.

    On a loopback address it answers only to its own names and `allowed_hosts`; elsewhere to `allowed_hosts`, or to all
    names where there are none.
    """
    names = {name.lower() for name in allowed_hosts}
    if is_loopback(host) or names:
        names |= LOOPBACK_NAMES | {host.lower()}
    return Access(names or None, token, origins=origins)


def is_loopback(host: str) -> bool:
    """Return whether an address or name is that of this machine alone."""
    return host in LOOPBACK_NAMES or host.startswith("127.")


def _read_host(value: str) -> str:
    """Return the name in a Host header, without its port, in lower case; "" where it makes no sense."""
    try:
        return urlsplit(f"//{value}").hostname or ""
    except ValueError:
        return ""


def _name_route(path: str, routes: Collection[str]) -> str:
    """Return the first part of a path if it is one of ours, so that nobody can make up names to be counted."""
    first = path.strip("/").partition("/")[0]
    return first if first in routes else "page" if not first else "other"
