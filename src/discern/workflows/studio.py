"""Serves the page of a folder: from its pictures to classifiers."""

import logging
import secrets
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from discern.console import reporting
from discern.errors import ConfigError, option
from discern.ownership import find_owner, owning
from discern.serving.running import check_packages, describe_uvicorn, open_listener

logger = logging.getLogger("discern")

_CLASSES_DEPTH = 2
"""Classes lie in the folder, or in the splits in it."""


def studio(
    folder: str | Path = ".",
    *,
    host: str = "127.0.0.1",
    port: int = 8004,
    token: str | None = None,
    allowed_hosts: Sequence[str] = (),
    opens: bool = False,
    verbose: bool = True,
) -> None:
    """Serve the page until the process is stopped; the commands that it has started are stopped with it.

    Args:
        folder: What it shows and writes to; nothing outside of it is read.
        host: The address to listen on.
        port: The port to listen on; 0 for any free one.
        token: Secret of the page; a new one by default, which is part of the address. Needed for a host that other
            machines can reach.
        allowed_hosts: Host names that browsers may use, for instance behind a proxy.
        opens: Open the page in a browser.
        verbose: Show the address on standard output.

    Raises:
        ConfigError: The folder or the address cannot be used, another studio has the folder, or a package is missing.
        WriteError: Nothing can be written to the folder.
    """
    check_packages()
    import uvicorn

    from discern.serving.guard import build_access, is_loopback
    from discern.studio.app import create_studio_app
    from discern.studio.places import HIDDEN

    root = Path(folder).resolve()
    if not root.is_dir():
        raise ConfigError(f"{folder} is no folder; give the one that holds your pictures, or an empty one")
    owner = find_owner(root / HIDDEN)
    if owner is not None:
        raise ConfigError(f"{root} has a studio already: {owner.describe()}; open its page, or end it first")
    if not is_loopback(host) and token is None:
        raise ConfigError(
            f"other machines can reach {host}, and a studio starts commands and shows pictures; give a ",
            option("token"),
            " that they need",
        )
    token = token or secrets.token_urlsafe(16)
    with reporting(verbose=verbose), owning(root / HIDDEN, "discern studio"), open_listener(host, port) as listener:
        app = create_studio_app(
            root, build_access(host, allowed_hosts, token), is_closing=lambda: bool(server.should_exit)
        )
        server = uvicorn.Server(uvicorn.Config(app, **describe_uvicorn()))
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/#token={token}"
        logger.info("the studio of %s: open %s", root, address)
        warn_of_classes(root)
        logger.info("end it, and the commands that it has started, with Ctrl-C")
        if opens:
            webbrowser.open(address)
        server.run([listener])


def warn_of_classes(root: Path) -> None:
    """Say what to do about a folder that holds the folders of classes itself; deeper ones are of no matter for that."""
    from discern.studio.listing import list_folder
    from discern.studio.places import Places
    from discern.studio.results import take_results
    from discern.studio.sources import find_sources

    places, top = Places(root), list_folder(root, max_depth=_CLASSES_DEPTH)
    take_results(top, places)
    if any(source.is_around_runs for source in find_sources(top, places)):
        logger.warning(
            "%s holds the folders of classes itself, and runs cannot be written among pictures. To train on them, move "
            "them into a folder of their own in it, or start in the folder around it: %s",
            root,
            places.command_around,
        )
