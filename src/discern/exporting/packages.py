"""Packages that only exports need."""

from collections.abc import Iterator
from contextlib import contextmanager

from discern.errors import ExportError, Extra, install_command


@contextmanager
def importing(*packages: str, extra: Extra = "export") -> Iterator[None]:
    """Turn a failing import of an optional package into a text that names what to install.

    Raises:
        ExportError: One of the packages is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        raise ExportError(f"this needs the package {error.name}: {install_command(extra)}") from None
