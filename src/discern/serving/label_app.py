"""The application of a labelling: a page that asks for labels, keeps the answers, and shows what they promise."""

import shlex
from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel

from discern.errors import DiscernError
from discern.labelling.question import Grid, Question, Reason
from discern.labelling.session import LabellingSession
from discern.serving.guard import Access
from discern.serving.page_app import create_page_app
from discern.serving.progress_json import describe_progress
from discern.serving.refusals import NOT_FOUND, UNUSABLE, Refusal
from discern.serving.shrunk_picture import send_picture, shrink_file

_ROUTES = ("labelling", "picture", "alike", "answer", "no-label", "confirm", "undo", "finish")
_SIDE_PIXELS = {"small": 256, "whole": 900, "zoomed": 2400}


class Label(BaseModel):
    """The class of a picture, as the page sends it."""

    key: str
    label: str


class NoLabel(BaseModel):
    """Why a picture gets no label, as the page sends it."""

    key: str
    reason: Reason


class Confirmation(BaseModel):
    """The class of pictures which look alike, as the page sends it."""

    keys: list[str]
    label: str


def create_label_app(session: LabellingSession, access: Access, finish: Callable[[], None]) -> FastAPI:
    """Build the application that asks what the session asks; `finish` ends it.

    A client names pictures by their keys alone.
    """
    routers = _build_questions(session), _build_answers(session, finish)
    app = create_page_app("label", *routers, access=access, routes=_ROUTES)
    app.add_exception_handler(DiscernError, _refuse)
    return app


# Files are read and written by the routes, so that these are threads of their own and no coroutines.
def _build_questions(session: LabellingSession) -> APIRouter:
    router = APIRouter()

    @router.get("/labelling")
    def describe() -> dict[str, Any]:
        return _describe(session)

    @router.get("/alike")
    def ask_alike() -> dict[str, Any] | None:
        return _describe_grid(session.ask_alike())

    @router.get("/picture", response_class=Response)
    def picture(key: str, size: Literal["small", "whole", "zoomed"] = "whole") -> Response:
        return send_picture(shrink_file(str(session.find_path(key)), session.depth_range, _SIDE_PIXELS[size]))

    return router


def _build_answers(session: LabellingSession, finish: Callable[[], None]) -> APIRouter:
    router = APIRouter()

    @router.post("/answer")
    def answer(given: Label) -> dict[str, Any]:
        session.answer(given.key, given.label)
        return _describe(session)

    @router.post("/no-label")
    def answer_without_label(given: NoLabel) -> dict[str, Any]:
        session.answer_without_label(given.key, given.reason)
        return _describe(session)

    @router.post("/confirm")
    def confirm(given: Confirmation) -> dict[str, Any]:
        session.confirm(given.keys, given.label)
        return _describe(session)

    @router.post("/undo")
    def undo() -> dict[str, Any]:
        if session.undo() is None:
            raise Refusal(NOT_FOUND, "nothing is answered, so there is nothing to undo")
        return _describe(session)

    @router.post("/finish")
    def end() -> dict[str, Any]:
        finish()
        return _describe(session)

    return router


def _refuse(_: Request, error: Exception) -> Response:
    return Refusal(UNUSABLE, str(error)).to_response()


def _describe(session: LabellingSession) -> dict[str, Any]:
    """Return all that the page shows: the next question, and how far the labelling is."""
    question = session.ask()
    return {
        "name": session.name,
        "class_names": list(session.class_names),
        "file": session.journal_path.name,
        "next_step": shlex.join(["discern", "train", str(session.journal_path)]),
        "question": None if question is None else _describe_question(question),
        "progress": describe_progress(session.describe()),
    }


def _describe_question(question: Question) -> dict[str, Any]:
    return {
        "key": question.key,
        "why": question.why,
        "between": question.between,
        "suggestion": question.suggestion,
        "is_hidden": question.is_hidden,
        "duplicates": question.duplicates,
    }


def _describe_grid(grid: Grid | None) -> dict[str, Any] | None:
    return None if grid is None else {"label": grid.label, "keys": [question.key for question in grid.questions]}
