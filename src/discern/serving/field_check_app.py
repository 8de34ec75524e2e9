"""The application of a field check: a page that asks for the class of one picture after the other."""

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel

from discern.evaluation.given_labels import LABEL
from discern.serving.field_check import FieldSample
from discern.serving.guard import Access
from discern.serving.page_app import create_page_app
from discern.serving.refusals import NOT_FOUND, UNUSABLE, Refusal
from discern.serving.shrunk_picture import send_picture, shrink_file

_SIDE_PIXELS = 900


class GivenAnswer(BaseModel):
    """An answer as the page sends it; `label` is the class of a "label"."""

    action: Literal["label", "none", "skip"]
    label: str = ""


def create_field_check_app(sample: FieldSample, access: Access, finish: Callable[[], None]) -> FastAPI:
    """Build the application that shows the pictures in order and keeps the answers; `finish` ends it."""
    return create_page_app(
        "fieldcheck", _build_routes(sample, finish), access=access, routes=("label", "undo", "finish")
    )


def _build_routes(sample: FieldSample, finish: Callable[[], None]) -> APIRouter:
    router, ids, answers = APIRouter(), list(sample.ids), sample.answers

    def find(index: int) -> str:
        if not 0 <= index < len(ids):
            raise Refusal(NOT_FOUND, f"there is no picture {index}; there are {len(ids)}")
        return ids[index]

    # Files are read and written here, so that these are threads of their own and no coroutines.
    @router.get("/label")
    def list_pictures() -> dict[str, Any]:
        given = answers.find()
        shown = [{"id": name, "decision": given[name]._asdict() if name in given else None} for name in ids]
        names = list(sample.class_names)
        return {"name": sample.name, "class_names": names, "file": answers.path.name, "pictures": shown}

    @router.get("/label/{index}", response_class=Response)
    def picture(index: int) -> Response:
        find(index)
        return send_picture(shrink_file(sample.paths[index], sample.depth_range, _SIDE_PIXELS))

    @router.post("/label/{index}")
    def answer(index: int, given: GivenAnswer) -> dict[str, Any]:
        name = find(index)
        if given.action == LABEL and given.label not in sample.class_names:
            raise Refusal(UNUSABLE, f"there is no class {given.label[:100]!r}")
        new = given.label if given.action == LABEL else ""
        return answers.add(name, given.action, old="", new=new)._asdict()

    @router.post("/undo")
    def undo() -> dict[str, Any]:
        undone = answers.undo()
        if undone is None:
            raise Refusal(NOT_FOUND, "nothing is labelled, so there is nothing to undo")
        return {"index": ids.index(undone.path) if undone.path in ids else None}

    @router.post("/finish")
    def end() -> dict[str, Any]:
        finish()
        return {"open": sample.num_open}

    return router
