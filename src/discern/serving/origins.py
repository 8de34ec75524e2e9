"""Pages of other origins that may ask the server: which they are, and what their browsers are told (CORS).

Source: https://fetch.spec.whatwg.org/#http-cors-protocol. Cookies are never used, so credentials are not allowed.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import Scope

from discern.errors import ConfigError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}


def read_origins(texts: Sequence[str]) -> frozenset[str]:
    """Return origins as browsers write them: scheme, name and, where it is not the usual one, port.

    Raises:
        ConfigError: One is no origin, such as "*", or has a path.
    """
    return frozenset(map(_read_origin, texts))


def _read_origin(text: str) -> str:
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    rest = (parts.path.rstrip("/"), parts.query, parts.fragment, parts.username)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or any(rest) or "*" in parts.netloc:
        raise ConfigError(
            f"{text!r} is no origin of a page; expected SCHEME://NAME or SCHEME://NAME:PORT, such as "
            "http://localhost:3000"
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")


def is_preflight(scope: Scope, headers: Headers) -> bool:
    """Return whether a browser asks if a page of another origin may send a request; it never sends a token with it."""
    return scope["method"] == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def answer_preflight(headers: Headers) -> Response:
    """Return the answer for a page that may ask."""
    allowed = dict(_PREFLIGHT)
    if headers.get("access-control-request-private-network") == "true":
        allowed["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=allowed)


def is_same_site(origin: str, host: str) -> bool:
    """Return whether an Origin header names the server by the name that it was called by."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
