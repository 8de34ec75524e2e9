"""The application of a studio."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI

from discern.serving.guard import HEADERS, Access
from discern.serving.guarding import add_guard
from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from discern.serving.pages import build_page_routes, load_pages
from discern.studio.folder_routes import build_folder_routes, build_upload_routes
from discern.studio.framed import build_framed_routes
from discern.studio.open_paths import OpenPaths
from discern.studio.places import Places
from discern.studio.studio import Studio
from discern.studio.task_routes import build_task_routes
from discern.studio.tasks import Tasks
from discern.studio.uploads import Uploads

_FRAMES = f"{HEADERS['Content-Security-Policy']}; frame-src 'self'"
_FRAMING_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": _FRAMES.replace("frame-ancestors 'none'", "frame-ancestors 'self'"),
    "X-Frame-Options": "SAMEORIGIN",
}
"""The studio shows its own pages in frames, and nobody else's."""

_ROUTES = (
    "folder",
    "events",
    "preview",
    "tasks",
    "run",
    "finish",
    "link",
    "comparison",
    "uploads",
    "pages",
    "reports",
    "files",
    "static",
)


def create_studio_app(root: Path, access: Access, *, is_closing: Callable[[], bool] = lambda: False) -> FastAPI:
    """Build the application for a folder; its commands end with it.

    Args:
        root: The folder; nothing outside of it can be asked for.
        access: Who may send requests.
        is_closing: Says whether the server is about to end, so that streams of events end, too.
    """
    pages, places = load_pages("discern.studio"), Places(root.resolve())
    studio = Studio(places, Tasks(places.root), Uploads(places), is_closing)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        studio.tasks.close()

    app = FastAPI(title="discern studio", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(build_page_routes(pages, "studio.html"))
    app.include_router(build_framed_routes(studio))
    app.include_router(build_upload_routes(studio))
    app.include_router(build_folder_routes(studio))
    app.include_router(build_task_routes(studio))
    add_guard(
        app,
        access=replace(access, open_paths=OpenPaths(pages)),
        limits=Limits(),
        metrics=Metrics(),
        routes=_ROUTES,
        headers=_FRAMING_HEADERS,
    )
    return app
