"""The routes by which commands are wished for, start and end."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.responses import StreamingResponse

from discern.errors import DiscernError
from discern.run_folder import RunFolder
from discern.serving.refusals import UNUSABLE, Refusal
from discern.studio.commands import Resume, Wish
from discern.studio.events import stream_tasks
from discern.studio.studio import Studio

Wished = Annotated[Wish, Body()]


def build_task_routes(studio: Studio) -> APIRouter:
    """Return the routes of the commands."""
    router, places, tasks = APIRouter(), studio.places, studio.tasks

    @router.get("/events")
    async def events() -> StreamingResponse:
        return StreamingResponse(stream_tasks(studio), media_type="text/event-stream")

    @router.post("/preview")
    def preview(wish: Wished) -> dict[str, Any]:
        return {"text": wish.build(places).describe()}

    @router.post("/tasks")
    def start(wish: Wished) -> dict[str, Any]:
        command = wish.build(places)
        if isinstance(wish, Resume):
            RunFolder(places.find(wish.run)).finish_request.unlink(missing_ok=True)
        try:
            return tasks.start(command).describe()
        except (DiscernError, OSError) as error:
            raise Refusal(UNUSABLE, f"the command cannot be started: {error}") from None

    @router.post("/tasks/{number}/stop")
    def stop(number: int) -> dict[str, Any]:
        task = tasks.find(number)
        task.stop()
        return task.describe()

    @router.get("/tasks/{number}/output")
    def output(number: int) -> dict[str, Any]:
        return {"lines": tasks.find(number).read_output()}

    @router.post("/finish")
    def finish(place: Annotated[str, Body(embed=True)]) -> dict[str, Any]:
        run = RunFolder(places.find(place))
        if not run.holds_run() or run.is_complete():
            raise Refusal(UNUSABLE, "there is no training that could be finished")
        run.finish_request.touch()
        return {}

    return router
