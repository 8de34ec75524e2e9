"""A trained classifier over HTTP, until it is told to stop."""

import json
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discern.errors import ConfigError
from discern.predictor.bundle import load_bundle
from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.serving.listening import build_access, check_packages, describe_uvicorn, take_address

if TYPE_CHECKING:
    from fastapi import FastAPI

logger = logging.getLogger("discern")

TOKEN_VARIABLE = "DISCERN_TOKEN"  # noqa: S105 - the name of a variable, and no secret
_OPTIONS_VARIABLE = "_DISCERN_SERVE"
_STARTUP_SECONDS = 300


@dataclass(frozen=True)
class ServeOptions:
    """How a server is run; see `serve`."""

    folders: Mapping[str, str]
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    allowed_hosts: Sequence[str] = ()
    shows_pictures: bool = True
    device: str = "auto"
    token: str | None = None

    def to_json(self) -> str:
        """Return what `from_json` reads in another process."""
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> "ServeOptions":
        """Read what `to_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        return cls(**content)


def serve(runs: Sequence[str], options: ServeOptions | None = None) -> None:
    """Answer requests until the process is told to stop; what was taken in is answered before it ends.

    Args:
        runs: Run folders or bundles; `NAME=FOLDER` gives a name other than the folder's. The first is the default.
        options: The address, how many processes, the token; its folders are those of `runs`.

    Raises:
        DiscernError: A bundle cannot be loaded, the address cannot be had, or a package is missing.
    """
    check_packages()
    folders = name_runs(runs)
    for folder in folders.values():
        load_bundle(Path(folder))
    given = vars(options or ServeOptions({}))
    options = ServeOptions(**{**given, "folders": folders})
    with take_address(options.host, options.port) as listener:
        port = listener.getsockname()[1]
        shown = f"[{options.host}]" if ":" in options.host else options.host
        logger.info("serving %s on http://%s:%d", ", ".join(folders), shown, port)
        _warn_if_open(options)
        _run(options, listener)


def name_runs(runs: Sequence[str]) -> dict[str, str]:
    """Return the folders by the names that they are served under.

    Raises:
        ConfigError: Two have the same name.
    """
    named: dict[str, str] = {}
    for run in runs:
        name, separator, folder = run.partition("=")
        if not separator or Path(run).exists():
            whole = Path(run).resolve()
            name, folder = (whole.parent if whole.name == "bundle" else whole).name, run
        if name in named:
            raise ConfigError(f"two of the runs are called {name!r}; give them names: one={named[name]} other={folder}")
        named[name] = folder
    return named


def build_app(options: ServeOptions) -> "FastAPI":
    """Build the application of one process of a server."""
    import torch

    from discern.serving.app import create_app

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // options.workers)
    torch.set_num_threads(min(torch.get_num_threads(), threads))

    def load_predictor(folder: Path) -> Predictor:
        return load(folder, device=options.device)

    return create_app(
        {name: Path(folder) for name, folder in options.folders.items()},
        load_predictor,
        access=build_access(options.host, options.allowed_hosts, options.token),
        decode_threads=min(8, max(2, threads)),
        shows_pictures=options.shows_pictures,
        tell_others=_tell_supervisor if options.workers > 1 else None,
    )


def build_app_of_worker() -> "FastAPI":
    """Build the application in a process that was started for it; its options are in the environment."""
    return build_app(ServeOptions.from_json(os.environ[_OPTIONS_VARIABLE]))


def _run(options: ServeOptions, listener: socket.socket) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    if options.workers == 1:
        uvicorn.Server(uvicorn.Config(build_app(options), **describe_uvicorn())).run([listener])
        return
    with tempfile.TemporaryDirectory() as counted:
        # Both reach the processes that are started, and neither stands in the list of processes.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counted
        os.environ[_OPTIONS_VARIABLE] = options.to_json()
        config = uvicorn.Config(
            f"{__name__}:{build_app_of_worker.__name__}",
            factory=True,
            workers=options.workers,
            timeout_worker_healthcheck=_STARTUP_SECONDS,
            **describe_uvicorn(),
        )
        Multiprocess(config, [listener]).run()


def _tell_supervisor() -> None:
    """Have the process that started this one put new processes in the place of all, one after the other."""
    os.kill(os.getppid(), signal.SIGHUP)


def _warn_if_open(options: ServeOptions) -> None:
    from discern.serving.guard import is_loopback

    if not is_loopback(options.host) and options.token is None:
        logger.warning(
            "everybody who reaches %s may use this server; set %s to ask for a token", options.host, TOKEN_VARIABLE
        )
