"""The application that answers over HTTP."""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from fastapi import FastAPI

from discern.serving.answering import Answering
from discern.serving.gallery_routes import build_gallery_routes
from discern.serving.guard import Access
from discern.serving.guarding import add_guard
from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from discern.serving.models import Models
from discern.serving.operation_routes import build_operation_routes, reload_models
from discern.serving.pages import build_page_routes, load_pages
from discern.serving.prediction_routes import build_prediction_routes
from discern.serving.refusals import Refusal
from discern.serving.served_model import Folders, LoadPredictor
from discern.serving.server import Server

logger = logging.getLogger("discern")

ROUTES = (
    "predict",
    "model",
    "health",
    "ready",
    "metrics",
    "reload",
    "mistakes",
    "training",
    "openapi.json",
    "static",
)


def create_app(
    folders: Folders,
    load_predictor: LoadPredictor,
    *,
    access: Access | None = None,
    limits: Limits | None = None,
    decode_threads: int = 2,
    shows_pictures: bool = True,
    reload_others: Callable[[], None] | None = None,
) -> FastAPI:
    """Build the server of some classifiers, which are loaded when it starts.

    Args:
        folders: Run folders or bundles, by the names that they are served under; the first is the default.
        load_predictor: Loads one of them; called again at every reload.
        access: Who may send requests; everybody by default.
        limits: How much a request, and all of them together, may ask for.
        decode_threads: How many pictures are decoded at a time.
        shows_pictures: Whether training pictures and mistakes are shown.
        reload_others: Reloads the models in the other processes of this server; without it, SIGHUP reloads this one.
    """
    limits, access, pages = limits or Limits(), access or Access(), load_pages()
    metrics = Metrics()
    open_paths = {"/", "/health", "/ready", *(f"/static/{name}" for name in pages)}
    access = replace(access, open_paths=open_paths)

    pool = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode")
    models = Models(folders, load_predictor, limits, metrics)
    server = Server(models, Answering(pool, models.thread, limits), pool, limits, access, metrics, reload_others)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await models.load()
        with _reloading_on_hangup(server):
            yield
        await models.close()
        pool.shutdown()

    app = FastAPI(title="discern", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.include_router(build_page_routes(pages, "index.html"))
    app.include_router(build_prediction_routes(server))
    app.include_router(build_operation_routes(server))
    if shows_pictures:
        app.include_router(build_gallery_routes(server))
    add_guard(app, access=access, limits=limits, metrics=metrics, routes=ROUTES)
    return app


@contextlib.contextmanager
def _reloading_on_hangup(server: Server) -> Iterator[None]:
    """Reload when the process gets SIGHUP; with several processes, the one that started them handles it."""
    alone = server.reload_others is None and threading.current_thread() is threading.main_thread()
    if not alone or not hasattr(signal, "SIGHUP"):
        yield
        return
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    def reload() -> None:
        task = asyncio.create_task(_reload_and_log(server))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _reload_and_log(server: Server) -> None:
    try:
        logger.info("reloaded: %s", ", ".join(await reload_models(server)))
    except Refusal as refusal:
        logger.error("%s", refusal.reason)
