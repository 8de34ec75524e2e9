"""discern serve: a classifier over HTTP, and a page."""

from typing import Annotated

import typer

from discern.cli.options import Device


def serve(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders or bundles, or NAME=FOLDER; the first is the default.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; each has its own copy and its part of the cores.")
    ] = 1,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name by which clients call it, as behind a proxy. [default: the host; any, if not local]"),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Show training pictures and mistakes to clients.")
    ] = True,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="DISCERN_TOKEN",
            show_envvar=True,
            help="Clients send it: Authorization: Bearer TOKEN. Better given by the variable: others can see options.",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Answer over HTTP, with a page at / and an API: POST /predict, GET /model, /health, /ready, /metrics."""
    from discern.workflows.serve import serve as serve_runs

    serve_runs(
        runs,
        host=host,
        port=port,
        workers=workers,
        allowed_hosts=tuple(allow_host or ()),
        shows_pictures=pictures,
        device=device,
        token=token or None,
    )
