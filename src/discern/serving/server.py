"""What the routes share."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from discern.serving.answering import Answering
from discern.serving.guard import Access
from discern.serving.limits import Limits
from discern.serving.metrics import Metrics
from discern.serving.models import Models
from discern.serving.refusals import CLIENT_LEFT, Refusal

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Server:
    """One process of a server.

    `pool` runs what takes time besides the networks. `reload_others` reloads the other processes, if there are any.
    """

    models: Models
    answering: Answering
    pool: Executor
    limits: Limits
    access: Access
    metrics: Metrics
    reload_others: Callable[[], None] | None = None


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of the work, which is cancelled when the client leaves; its body must have been read.

    Raises:
        Refusal: The client has left.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_wait_until_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Refusal(CLIENT_LEFT, "the client has left")
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _wait_until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
