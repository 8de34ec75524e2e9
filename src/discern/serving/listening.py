"""What the commands that answer over HTTP share: the packages, the address, and who may ask."""

import importlib.util
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from discern.errors import ConfigError

if TYPE_CHECKING:
    from discern.serving.guard import Access

_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
_MOST_CONNECTIONS = 1000


def check_packages() -> None:
    """Raise when what a server needs is not installed.

    Raises:
        ConfigError: A package is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"serving needs {', '.join(missing)}; install them with: pip install 'discern[serve]'")


def take_address(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        ConfigError: It cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"{host}:{port} cannot be served on: {reason}; choose another --host or --port") from None
    listener.set_inheritable(True)
    return listener


def build_access(host: str, allowed_hosts: Sequence[str], token: str | None) -> "Access":
    """Return who may ask: on a loopback address only under its names, elsewhere under those that are given, or any."""
    from discern.serving.guard import LOOPBACK_NAMES, Access, is_loopback

    names = {name.lower() for name in allowed_hosts}
    if is_loopback(host) or names:
        names |= LOOPBACK_NAMES | {host.lower()}
    return Access(names or None, token)


def describe_uvicorn() -> dict[str, Any]:
    """Return how requests are taken from the network: quietly, never from too many, and finished before the end.

    Headers of proxies are not believed, since anybody can send them.
    """
    from discern.serving.connection import PatientConnection
    from discern.serving.limits import Limits

    return {
        "http": PatientConnection,
        "log_config": None,
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "limit_concurrency": _MOST_CONNECTIONS,
        "timeout_graceful_shutdown": int(Limits().request_seconds) + 1,
    }
