"""Runs an application under uvicorn, in this process or in several, until it is stopped.

Nothing here imports the packages that serving needs before `check_packages` has looked for them.
"""

import importlib.util
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from discern.errors import ConfigError, install_command, option
from discern.files import write_json
from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime
from discern.serving.options import ServeOptions

if TYPE_CHECKING:
    from fastapi import FastAPI

ADDRESS_FILE_VARIABLE = "DISCERN_ADDRESS_FILE"
"""A program that starts a server with --port 0 names a file here, to read the port from."""

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
_OPTIONS_VARIABLE = "_DISCERN_SERVE"
_STARTUP_SECONDS = 300
_BACKLOG = 256
"""Connections accepted at a time; with those allowed they stay below the usual limit of 1024 open files."""

_MAX_DECODE_THREADS = 8

_LOG_FAILURES_ALONE = {
    "version": 1,
    "incremental": True,
    "loggers": {name: {"level": "ERROR"} for name in ("uvicorn.error", "python_multipart")},
}
"""A client that sends what cannot be read gets a refusal; a line of the log for each would be written by strangers."""


def check_packages() -> None:
    """Raise when a package that serving needs is not installed.

    Raises:
        ConfigError: One or more are missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"serving needs {', '.join(missing)}; install them with: {install_command('serve')}")


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address, which goes to the file that the variable names, if it is set.

    Raises:
        ConfigError: The address cannot be used, for instance because another program does.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"{host}:{port} cannot be served on: {reason}; choose another ", option("host"), " or ", option("port")
        ) from None
    listener.set_inheritable(True)
    if address_file := os.environ.get(ADDRESS_FILE_VARIABLE):
        write_json(Path(address_file), {"host": host, "port": listener.getsockname()[1]})
    return listener


def run_app(app: "FastAPI", listener: socket.socket) -> None:
    """Answer requests until the process is asked to stop; requests that have begun are answered before it ends."""
    run_until_finished(lambda _finish: app, listener)


def run_until_finished(build: Callable[[Callable[[], None]], "FastAPI"], listener: socket.socket) -> None:
    """Do what `run_app` does, with an application that is given a function which ends it."""
    import uvicorn

    def finish() -> None:
        server.should_exit = True

    server = uvicorn.Server(uvicorn.Config(build(finish), **describe_uvicorn()))
    server.run([listener])


def run_server(options: ServeOptions, listener: socket.socket) -> None:
    """Serve classifiers in as many processes as the options say."""
    if options.workers == 1:
        with choose_runtime(device=options.device, threads=_count_threads(options)).applied():
            run_app(build_app(options), listener)
    else:
        _run_workers(options, listener)


def build_app(options: ServeOptions) -> "FastAPI":
    """Build the application of one process of a server."""
    from discern.serving.app import create_app
    from discern.serving.guard import build_access

    def load_predictor(folder: Path) -> Predictor:
        return load(folder, device=options.device)

    return create_app(
        {name: Path(folder) for name, folder in options.folders.items()},
        load_predictor,
        access=build_access(options.host, options.allowed_hosts, options.token, options.allowed_origins),
        decode_threads=min(_MAX_DECODE_THREADS, max(2, _count_threads(options))),
        shows_pictures=options.shows_pictures,
        reload_others=_restart_workers if options.workers > 1 else None,
    )


def build_worker_app() -> "FastAPI":
    """Build the application in a worker process, whose options are in the environment."""
    options = ServeOptions.from_json(os.environ[_OPTIONS_VARIABLE])
    choose_runtime(device=options.device, threads=_count_threads(options)).set_up()
    return build_app(options)


def describe_uvicorn() -> dict[str, Any]:
    """Return the settings of uvicorn: a log of failures alone, limits of connections, and time to finish requests.

    Headers of proxies are not trusted, since anybody can send them.
    """
    from discern.serving.connections import LimitedConnection

    limits = LimitedConnection.limits
    return {
        "log_config": _LOG_FAILURES_ALONE,
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "http": LimitedConnection,
        "limit_concurrency": limits.max_connections + 1,
        "backlog": _BACKLOG,
        "timeout_graceful_shutdown": int(limits.request_seconds) + 1,
    }


def _run_workers(options: ServeOptions, listener: socket.socket) -> None:
    import uvicorn

    from discern.serving.workers import Workers

    with tempfile.TemporaryDirectory() as counters:
        # Both reach the processes that are started, and neither is shown in the list of processes.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counters
        os.environ[_OPTIONS_VARIABLE] = options.to_json()
        config = uvicorn.Config(
            f"{__name__}:{build_worker_app.__name__}",
            factory=True,
            workers=options.workers,
            timeout_worker_healthcheck=_STARTUP_SECONDS,
            **describe_uvicorn(),
        )
        Workers(config, [listener]).run()


def _count_threads(options: ServeOptions) -> int:
    """Return how many threads one process computes with: its part of the cores."""
    cores = choose_runtime(device="cpu").threads
    return max(1, cores // options.workers)


def _restart_workers() -> None:
    """Ask the process that started this one to replace all of its workers, one after the other."""
    os.kill(os.getppid(), signal.SIGHUP)
