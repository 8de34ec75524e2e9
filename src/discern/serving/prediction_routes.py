"""Pictures in, answers out; and what there is to know of the models."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from discern.serving.answering import Wanted
from discern.serving.model_facts import describe_model
from discern.serving.refusals import (
    BAD_REQUEST,
    NOT_FOUND,
    OVERLOADED,
    TOO_LARGE,
    UNSUPPORTED,
    UNUSABLE,
    Refusal,
)
from discern.serving.schema import Answers, Refused
from discern.serving.server import Server, unless_gone
from discern.serving.uploads import Upload, read_uploads

REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": Refused} for status in (BAD_REQUEST, NOT_FOUND, TOO_LARGE, UNSUPPORTED, UNUSABLE, OVERLOADED)
}
_ONE_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["files"],
        "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
    }
}
_BODY = {"requestBody": {"required": True, "content": {"multipart/form-data": _FORM, "image/*": _ONE_PICTURE}}}

ModelName = Annotated[str | None, Query(max_length=200, description="Name of a model; the first by default.")]


def build_prediction_routes(server: Server) -> APIRouter:
    """Return the routes /predict and /model."""
    router = APIRouter()

    @router.post("/predict", response_model=Answers, responses=REFUSED, openapi_extra=_BODY)
    async def predict(
        request: Request,
        model: ModelName = None,
        top_k: Annotated[int, Query(ge=1, le=100, description="How many of the most probable classes to return.")] = 5,
        max_error: Annotated[
            float | None,
            Query(gt=0, lt=1, description='Largest share of wrong answers; the rest is "unknown".', examples=[0.05]),
        ] = None,
        explain: Annotated[
            str | None, Query(max_length=40, description="Adds a heat map by this method.", examples=["auto"])
        ] = None,
        nearest: Annotated[int, Query(ge=0, le=20, description="How many similar training pictures to return.")] = 0,
    ) -> Response:
        """Classify pictures: files of a form, or one as the body itself.

        A single picture that cannot be read is answered with a status that says so. Of several, each answer has its own
        `error`; the status is 200 where at least one could be read.
        """
        uploads = await read_uploads(request, server.limits)
        wanted = Wanted(top_k, max_error, explain, nearest)
        answers = await unless_gone(request, _answer(server, uploads, wanted, model))
        problems = [picture.error for picture in answers.pictures if picture.error is not None]
        if len(uploads) == 1 and problems:
            raise Refusal(problems[0].status, f"{uploads[0].name}: {problems[0].reason}")
        status = UNUSABLE if len(problems) == len(uploads) else 200
        return Response(answers.model_dump_json(exclude_none=True), status, media_type="application/json")

    @router.get("/model", responses=REFUSED)
    async def list_models(model: ModelName = None) -> dict[str, Any]:
        """Return what is served; with a name, that model alone, with all that is known of it."""
        chosen = server.models.find(model)
        return {
            "models": [one.name for one in server.models.list_all()],
            **describe_model(chosen, server.limits),
        }

    return router


async def _answer(server: Server, uploads: list[Upload], wanted: Wanted, name: str | None) -> Answers:
    """Take pictures in, and count what comes of them."""
    model = server.models.find(name)
    with model.batcher.admitting(len(uploads)):
        server.metrics.waiting.set(server.models.waiting)
        answers = await server.answering.answer(uploads, wanted, model)
    server.metrics.waiting.set(server.models.waiting)
    outcomes = Counter("refused" if picture.error is not None else "answered" for picture in answers.pictures)
    for outcome, count in outcomes.items():
        server.metrics.pictures.labels(model.name, outcome).inc(count)
    return answers
