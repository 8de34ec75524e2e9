"""The application behind a page that asks a person about pictures: of a labelling, a review or a field check."""

from fastapi import APIRouter, FastAPI

from discern.serving.guard import Access
from discern.serving.guarding import add_guard
from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from discern.serving.pages import build_page_routes, load_pages, open_pages


def create_page_app(name: str, *routers: APIRouter, access: Access, routes: tuple[str, ...]) -> FastAPI:
    """Build the application of `discern NAME`, whose page is NAME.html.

    Args:
        name: Of the command.
        *routers: What the page asks for.
        access: Who may send requests.
        routes: The first parts of their paths, for the guard; those of the page's files are added.
    """
    pages = load_pages()
    app = FastAPI(title=f"discern {name}", docs_url=None, redoc_url=None)
    for router in (build_page_routes(pages, f"{name}.html"), *routers):
        app.include_router(router)
    add_guard(app, access=open_pages(access, pages), limits=Limits(), metrics=Metrics(), routes=(*routes, "static"))
    return app
