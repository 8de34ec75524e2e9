"""Which paths of a studio need no token: pages and their files, which bring it, and links that are signed."""

import re
from collections.abc import Collection, Container

_PAGE_OF_TASK = re.compile(r"/pages/[0-9]+/(static/[A-Za-z0-9_.-]+)?")
_SIGNED = re.compile(r"/(reports|files)/[0-9a-f]{32}/.+")


class OpenPaths(Container[str]):
    """The open paths of a studio whose own page has these files."""

    def __init__(self, pages: Collection[str]) -> None:
        self._own = {"/", *(f"/static/{name}" for name in pages)}

    def __contains__(self, path: object) -> bool:
        """Return whether a path needs no token."""
        return isinstance(path, str) and (
            path in self._own or bool(_PAGE_OF_TASK.fullmatch(path) or _SIGNED.fullmatch(path))
        )
