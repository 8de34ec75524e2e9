"""The files of the pages, read once; a client can name these and nothing else."""

import hashlib
from collections.abc import Collection
from dataclasses import replace
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from discern.serving.guard import Access
from discern.serving.refusals import NOT_FOUND, Refusal

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class PageFile(NamedTuple):
    """A file as it is sent, and its mark."""

    content: bytes
    media_type: str
    mark: str

    def respond(self, request: Request) -> Response:
        """Return it, or that it has not changed."""
        headers = {"ETag": self.mark, "Cache-Control": "no-cache"}
        if request.headers.get("if-none-match") == self.mark:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def load_pages(*packages: str) -> dict[str, PageFile]:
    """Return all files of the pages by name: those that exported pages have too, ours, and those of more packages."""
    pages = {}
    for package, folder in (("discern", "web"), (__package__, "static"), *((one, "static") for one in packages)):
        templates = Environment(loader=PackageLoader(package, folder), autoescape=True, undefined=StrictUndefined)
        for file in (files(package) / folder).iterdir():
            suffix = file.name[file.name.rfind(".") :]
            if suffix == ".html":
                pages[file.name] = _build_file(templates.get_template(file.name).render().encode(), suffix)
            elif suffix in _TYPES:
                pages[file.name] = _build_file(file.read_bytes(), suffix)
    return pages


def _build_file(content: bytes, suffix: str) -> PageFile:
    return PageFile(content, _TYPES[suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')


def open_pages(access: Access, pages: Collection[str]) -> Access:
    """Return who may send requests where the page and its files need no token; it is the page that brings it."""
    return replace(access, open_paths={"/", *(f"/static/{name}" for name in pages)})


def build_page_routes(pages: dict[str, PageFile], start: str) -> APIRouter:
    """Return the routes / and /static; the page named `start` is the first."""
    router = APIRouter(include_in_schema=False)

    @router.head("/")
    @router.get("/")
    async def page(request: Request) -> Response:
        return pages[start].respond(request)

    @router.head("/static/{name}")
    @router.get("/static/{name}")
    async def file(name: str, request: Request) -> Response:
        if name not in pages:
            raise Refusal(NOT_FOUND, "there is no such file")
        return pages[name].respond(request)

    return router
