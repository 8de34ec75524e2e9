"""Routes for the operator of the server: health, readiness, metrics and reloading."""

from fastapi import APIRouter, Request, Response

from discern.errors import DiscernError
from discern.serving.guard import is_loopback
from discern.serving.refusals import FORBIDDEN, OVERLOADED, UNUSABLE, Refusal
from discern.serving.schema import Reloaded
from discern.serving.server import Server

_FORWARDED = ("forwarded", "x-forwarded-for", "via")


def build_operation_routes(server: Server) -> APIRouter:
    """Return the routes /health, /ready, /metrics and /reload."""
    router = APIRouter()

    @router.head("/health", include_in_schema=False)
    @router.get("/health")
    async def health() -> dict[str, str]:
        """Report that the process is alive."""
        return {"status": "alive"}

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready")
    async def ready() -> dict[str, str]:
        """Report whether the models are loaded and have computed once."""
        if not server.models.is_ready:
            raise Refusal(OVERLOADED, "the classifier is still being loaded", {"Retry-After": "1"})
        return {"status": "ready"}

    @router.get("/metrics")
    async def metrics() -> Response:
        """Return the counters in the text format of Prometheus."""
        return Response(server.metrics.write(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.post("/reload")
    async def reload(request: Request) -> Reloaded:
        """Load all models from disk again beside those in use; no request is lost, and none waits.

        It needs the token or, without one, a client on the same machine.
        """
        if server.access.token is None and not _is_local(request):
            raise Refusal(FORBIDDEN, "only this machine may reload a server without a token")
        return Reloaded(models=await reload_models(server))

    return router


async def reload_models(server: Server) -> list[str]:
    """Load all models again, in all processes, and return their names.

    Raises:
        Refusal: One cannot be loaded; all stay as they were.
    """
    try:
        models = await server.models.load()
    except DiscernError as error:
        server.metrics.reloads.labels("failed").inc()
        raise Refusal(UNUSABLE, f"nothing was changed: {error}") from None
    server.metrics.reloads.labels("done").inc()
    if server.reload_others is not None:
        server.reload_others()
    return [model.name for model in models]


def _is_local(request: Request) -> bool:
    """Return whether a client is on this machine; one behind a proxy is not known to be."""
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    return request.client is not None and is_loopback(request.client.host) and not is_forwarded
