"""Routes for mistakes and training pictures, by their places in the lists of the run and of its bundle."""

from fastapi import APIRouter, Response

from discern.serving.answering import run_in
from discern.serving.gallery import load_mistakes, show_mistake, show_training_picture
from discern.serving.prediction_routes import REFUSED, ModelName
from discern.serving.schema import Mistakes
from discern.serving.server import Server
from discern.serving.shrunk_picture import send_picture


def build_gallery_routes(server: Server) -> APIRouter:
    """Return the routes /mistakes, /mistakes/INDEX and /training/INDEX."""
    router = APIRouter(responses=REFUSED)

    @router.get("/mistakes")
    async def list_mistakes(model: ModelName = None) -> Mistakes:
        """Return the mistakes of the run's evaluation, the most confident first."""
        chosen = server.models.find(model)
        mistakes, _ = await run_in(server.pool, load_mistakes, server.models.folders[chosen.name])
        return mistakes

    @router.get("/mistakes/{index}", response_class=Response)
    async def picture_of_mistake(index: int, model: ModelName = None) -> Response:
        """Return a small copy of a misclassified picture."""
        chosen = server.models.find(model)
        folder, depth_range = server.models.folders[chosen.name], chosen.predictor.bundle.preprocess.depth_range
        return send_picture(await run_in(server.pool, show_mistake, folder, index, depth_range))

    @router.get("/training/{index}", response_class=Response)
    async def training_picture(index: int, model: ModelName = None) -> Response:
        """Return a small copy of a training picture."""
        return send_picture(await run_in(server.pool, show_training_picture, server.models.find(model), index))

    return router
