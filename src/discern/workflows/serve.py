"""Serves trained classifiers over HTTP."""

import logging
from collections.abc import Sequence
from pathlib import Path

from discern.console import reporting
from discern.predictor.bundle import load_bundle
from discern.predictor.hub_bundle import find_run
from discern.serving.options import ServeOptions, name_runs
from discern.serving.running import check_packages, open_listener, run_server

logger = logging.getLogger("discern")

TOKEN_VARIABLE = "DISCERN_TOKEN"  # noqa: S105 - the name of a variable, not a secret


def serve(
    runs: Sequence[str | Path] | str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    allowed_hosts: Sequence[str] = (),
    shows_pictures: bool = True,
    device: str = "auto",
    token: str | None = None,
    allowed_origins: Sequence[str] = (),
    verbose: bool = True,
) -> None:
    """Answer requests until the process is stopped; requests that have begun are answered first.

    Args:
        runs: Run folders or bundles, see `discern.load`; `NAME=FOLDER` gives a name other than the folder's. The first
            is the default.
        host: The address to listen on; "0.0.0.0" for all.
        port: The port to listen on; 0 for any free one.
        workers: Number of processes, each with its own copy of the classifiers and its share of the cores.
        allowed_hosts: Host names that clients may use, for instance behind a proxy.
        shows_pictures: Show training pictures and mistakes to clients.
        device: Where to compute; see `discern.load`.
        token: Secret that clients must send as `Authorization: Bearer TOKEN`.
        allowed_origins: Origins of other pages that may send requests from a browser, such as "http://localhost:3000".
        verbose: Show progress on standard output.

    Raises:
        DiscernError: A bundle cannot be loaded, the address cannot be used, an origin is none, or a package is missing.
    """
    check_packages()
    named = name_runs([runs] if isinstance(runs, str | Path) else runs)
    from discern.serving.origins import read_origins

    origins = tuple(sorted(read_origins(allowed_origins)))
    with reporting(verbose=verbose):
        folders = {name: str(find_run(folder)) for name, folder in named.items()}
        options = ServeOptions(
            folders, host, port, workers, tuple(allowed_hosts), shows_pictures, device, token, origins
        )
        for folder in folders.values():
            load_bundle(Path(folder))
        with open_listener(host, port) as listener:
            _log_address(options, listener.getsockname()[1])
            run_server(options, listener)


def _log_address(options: ServeOptions, port: int) -> None:
    from discern.serving.guard import is_loopback

    shown = f"[{options.host}]" if ":" in options.host else options.host
    logger.info("serving %s on http://%s:%d", ", ".join(options.folders), shown, port)
    if not is_loopback(options.host) and options.token is None:
        logger.warning(
            "everybody who can reach %s may use this server; set %s to require a token", options.host, TOKEN_VARIABLE
        )
