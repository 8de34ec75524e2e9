"""The application of a review: a page that shows one picture after the other and keeps the decisions."""

from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel

from discern.serving.candidates import Candidate
from discern.serving.decisions import Decision
from discern.serving.guard import Access
from discern.serving.page_app import create_page_app
from discern.serving.refusals import NOT_FOUND, UNUSABLE, Refusal
from discern.serving.review import Review
from discern.serving.shrunk_picture import send_picture, shrink_file

_SIDE_PIXELS = 900


class Verdict(BaseModel):
    """A decision as the page sends it; `label` is the new one of a relabel."""

    action: Literal["keep", "relabel", "drop"]
    label: str = ""


def create_review_app(review: Review, access: Access) -> FastAPI:
    """Build the application that shows the candidates of a review, in order, and keeps the decisions.

    A client names a candidate by its place in the list alone.
    """
    return create_page_app("review", _build_review_routes(review), access=access, routes=("review", "undo"))


def _build_review_routes(review: Review) -> APIRouter:
    router, candidates, class_names, decisions = APIRouter(), review.candidates, review.class_names, review.decisions

    def find(index: int) -> Candidate:
        if not 0 <= index < len(candidates):
            raise Refusal(NOT_FOUND, f"there is no picture {index}; there are {len(candidates)}")
        return candidates[index]

    # Files are read and written here, so that these are threads of their own and no coroutines.
    @router.get("/review")
    def list_candidates() -> dict[str, Any]:
        held = decisions.find()
        shown = [_mark(candidate, held.get(candidate.key)) for candidate in candidates]
        return {"name": review.name, "class_names": list(class_names), "file": decisions.path.name, "pictures": shown}

    @router.get("/review/{index}/{place}", response_class=Response)
    def picture(index: int, place: int) -> Response:
        candidate = find(index)
        paths = [candidate.path, *(other.path for other in candidate.related)]
        if not 0 <= place < len(paths):
            raise Refusal(NOT_FOUND, f"there is no picture {place} beside {index}")
        return send_picture(shrink_file(paths[place], review.depth_range, _SIDE_PIXELS))

    @router.post("/review/{index}")
    def decide(index: int, verdict: Verdict) -> dict[str, Any]:
        candidate = find(index)
        if verdict.action == "relabel" and verdict.label not in class_names:
            raise Refusal(UNUSABLE, f"there is no class {verdict.label[:100]!r}")
        new = verdict.label if verdict.action == "relabel" else ""
        return decisions.add(candidate.key, verdict.action, old=candidate.label, new=new)._asdict()

    @router.post("/undo")
    def undo() -> dict[str, Any]:
        undone = decisions.undo()
        if undone is None:
            raise Refusal(NOT_FOUND, "nothing is decided, so there is nothing to undo")
        places = [place for place, one in enumerate(candidates) if one.key == undone.path]
        return {"index": places[0] if places else None, "path": undone.path}

    return router


def _mark(candidate: Candidate, decision: Decision | None) -> Candidate:
    """Return a candidate with what is decided about it."""
    return candidate if decision is None else candidate.model_copy(update={"decision": decision._asdict()})
