"""Puts the guard before an application, and gives all errors the same form."""

from collections.abc import Mapping

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from discern.errors import Option, WriteError
from discern.serving.guard import HEADERS, Access, Guard
from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from discern.serving.refusals import UNUSABLE, Refusal

_AGAIN = Option("try again", "try again")
"""What somebody does on a page, who has typed no command."""


def add_guard(
    app: FastAPI,
    *,
    access: Access,
    limits: Limits,
    metrics: Metrics,
    routes: tuple[str, ...],
    headers: Mapping[str, str] = HEADERS,
) -> None:
    """Put the guard before all routes, and give all errors the same form; `headers` are on every answer."""
    app.add_middleware(Guard, access=access, limits=limits, metrics=metrics, routes=routes, headers=headers)
    app.add_exception_handler(Refusal, lambda _, error: _respond(error))
    app.add_exception_handler(HTTPException, lambda _, error: _respond(error))
    app.add_exception_handler(RequestValidationError, lambda _, error: _respond(error))
    app.add_exception_handler(WriteError, lambda _, error: _respond(error))


def _respond(error: Exception) -> Response:
    if isinstance(error, Refusal):
        return error.to_response()
    if isinstance(error, WriteError):
        return Refusal(UNUSABLE, str(error.followed_by(_AGAIN))).to_response()
    if isinstance(error, RequestValidationError):
        problems = "; ".join(f"{found['loc'][-1]}: {found['msg']}" for found in error.errors())
        return Refusal(UNUSABLE, problems).to_response()
    assert isinstance(error, HTTPException)
    return Refusal(error.status_code, error.detail, error.headers).to_response()
