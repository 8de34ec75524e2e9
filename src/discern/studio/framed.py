"""What frames show: pages that commands serve, and reports, which get no right to what belongs to the studio."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from discern.serving.refusals import FORBIDDEN, Refusal
from discern.studio.proxy import pass_on
from discern.studio.studio import Studio

_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Beside the policy that each report has itself, by which its own script runs and no other."""


def build_framed_routes(studio: Studio) -> APIRouter:
    """Return the routes of the pages of commands, and of signed links to reports and exported files."""
    router, places = APIRouter(), studio.places

    @router.api_route("/pages/{number}/{path:path}", methods=["GET", "HEAD", "POST"])
    async def page(number: int, path: str, request: Request) -> Response:
        return await pass_on(request, studio.tasks.find(number).find_address(), path)

    @router.get("/reports/{signature}/{place:path}")
    def report(signature: str, place: str) -> FileResponse:
        file = places.find_signed(signature, place)
        if file.suffix != ".html":
            raise Refusal(FORBIDDEN, "this is no report")
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return FileResponse(file, media_type="text/html; charset=utf-8", headers=headers)

    @router.get("/files/{signature}/{place:path}")
    def file(signature: str, place: str) -> FileResponse:
        found = places.find_signed(signature, place)
        if found.suffix == ".png":
            return FileResponse(found, media_type="image/png")
        return FileResponse(found, media_type="application/octet-stream", filename=found.name)

    return router
