"""The routes that read the folder of a studio, and those by which dropped files come."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from starlette.concurrency import run_in_threadpool

from discern.errors import DiscernError
from discern.evaluation.comparison import Comparison
from discern.files import read_json
from discern.serving.refusals import NOT_FOUND, UNUSABLE, Refusal
from discern.studio.studio import Studio


def build_folder_routes(studio: Studio) -> APIRouter:
    """Return the routes that say what is in the folder."""
    router, places = APIRouter(), studio.places

    # Files are read here, so that these are threads of their own and no coroutines.
    @router.get("/folder")
    def folder() -> dict[str, Any]:
        return studio.list_all()

    @router.get("/run")
    def run(place: str) -> dict[str, Any]:
        try:
            return {"run": studio.watch_run(place)}
        except DiscernError as error:
            raise Refusal(UNUSABLE, str(error)) from None

    @router.get("/link")
    def link(place: str) -> dict[str, Any]:
        return {"link": studio.link("reports", places.name(places.find(place)))}

    @router.get("/comparison")
    def comparison(place: str) -> dict[str, Any]:
        found = places.find(place)
        picture = found / "disagreements.png"
        try:
            content = Comparison.model_validate(read_json(found / "comparison.json"))
        except (OSError, ValueError):
            raise Refusal(NOT_FOUND, "this comparison cannot be read") from None
        shown = studio.link("files", places.name(picture)) if picture.is_file() else None
        return {**content.model_dump(mode="json"), "picture": shown}

    return router


def build_upload_routes(studio: Studio) -> APIRouter:
    """Return the routes by which dropped files come."""
    router, uploads = APIRouter(), studio.uploads

    @router.post("/uploads")
    def begin(name: Annotated[str, Body(embed=True)]) -> dict[str, Any]:
        return {"key": uploads.begin(name)}

    @router.post("/uploads/{key}/part")
    async def add(key: str, place: str, offset: int, request: Request) -> dict[str, Any]:
        content = await request.body()
        return {"is_kept": await run_in_threadpool(uploads.add, key, place, offset, content)}

    @router.post("/uploads/{key}/finish")
    def finish(key: str) -> dict[str, Any]:
        return uploads.finish(key)

    @router.post("/uploads/{key}/cancel")
    def cancel(key: str) -> dict[str, Any]:
        uploads.cancel(key)
        return {}

    return router
