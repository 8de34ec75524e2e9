"""discern serve: serve classifiers over HTTP, with a web page."""

import signal
from typing import Annotated

import typer

from discern.cli.options import Device


def serve(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Run folders, bundles or hf://USER/NAME, or NAME=FOLDER; the first is the default."
        ),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, help="Number of processes; each has its own copy and its share of the cores.")
    ] = 1,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A host name that clients may use, for instance behind a proxy. [default: the host; any, if not local]"
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="Origin of a page of yours that may ask from a browser, such as http://localhost:3000."),
    ] = None,
    pictures: Annotated[
        bool, typer.Option("--pictures/--no-pictures", help="Show training pictures and mistakes to clients.")
    ] = True,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="DISCERN_TOKEN",
            show_envvar=True,
            help="Clients must send Authorization: Bearer TOKEN. Safer in the variable, since others can see options.",
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Serve classifiers over HTTP: a page at / and an API with POST /predict, GET /model, /health, /ready, /metrics."""
    from discern.workflows.serve import serve as serve_runs

    # uvicorn answers what has begun, and then the signal ends the process, which service managers take for a clean end.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    serve_runs(
        runs,
        host=host,
        port=port,
        workers=workers,
        allowed_hosts=tuple(allow_host or ()),
        shows_pictures=pictures,
        device=device,
        token=token or None,
        allowed_origins=tuple(allow_origin or ()),
    )
