"""Pictures that are there already, by their places in the lists that the bundle and the run have."""

from fastapi import APIRouter, Response

from discern.serving.answering import run_in
from discern.serving.gallery import load_mistakes, show_mistake, show_remembered
from discern.serving.prediction_routes import REFUSED, ModelName
from discern.serving.schema import Mistakes
from discern.serving.server import Server


def build_gallery_routes(server: Server) -> APIRouter:
    """Return the routes /mistakes, /mistakes/INDEX and /remembered/INDEX."""
    router = APIRouter(responses=REFUSED)

    @router.get("/mistakes")
    async def list_mistakes(model: ModelName = None) -> Mistakes:
        """Return what the run's evaluation got wrong, the most confident first."""
        chosen = server.models.find(model)
        mistakes, _ = await run_in(server.pool, load_mistakes, server.models.folders[chosen.name])
        return mistakes

    @router.get("/mistakes/{index}", response_class=Response)
    async def picture_of_mistake(index: int, model: ModelName = None) -> Response:
        """Return a small copy of a picture that was got wrong."""
        chosen = server.models.find(model)
        return _send(await run_in(server.pool, show_mistake, server.models.folders[chosen.name], index))

    @router.get("/remembered/{index}", response_class=Response)
    async def remembered_picture(index: int, model: ModelName = None) -> Response:
        """Return a small copy of a training picture."""
        return _send(await run_in(server.pool, show_remembered, server.models.find(model), index))

    return router


def _send(picture: bytes) -> Response:
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=300"})
