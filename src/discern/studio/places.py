"""Paths within the folder that a studio was started in; nothing outside of it is opened, through links neither."""

import hashlib
import hmac
import secrets
import shlex
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from discern.errors import cut
from discern.serving.refusals import FORBIDDEN, NOT_FOUND, UNUSABLE, Refusal

HIDDEN = ".discern-studio"
"""The folder in it where the studio keeps what its commands printed."""

_MAX_NAME = 120


@dataclass(frozen=True)
class Places:
    """The folder, and the secret by which links to its files are signed, for frames and downloads send no token."""

    root: Path
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def find(self, place: str) -> Path:
        """Return what a client names, relative to the folder and with `/`.

        Raises:
            Refusal: It is outside of the folder, hidden, or not there.
        """
        shown = cut(place, _MAX_NAME)
        try:
            found = (self.root / place).resolve()
            is_there = found.exists()
        except (OSError, ValueError, RuntimeError):
            raise Refusal(NOT_FOUND, f"{shown!r} is not there") from None
        if not found.is_relative_to(self.root):
            raise Refusal(FORBIDDEN, f"{shown!r} lies outside of the folder that the studio was started in")
        if any(part.startswith(".") for part in found.relative_to(self.root).parts):
            raise Refusal(FORBIDDEN, f"{shown!r} is hidden")
        if not is_there:
            raise Refusal(NOT_FOUND, f"{shown!r} is not there")
        return found

    def name(self, path: Path) -> str:
        """Return a path in the folder as a client names it, and as an argument of a command that runs there."""
        name = path.relative_to(self.root).as_posix()
        return f"./{name}" if name.startswith("-") else name

    @property
    def command_around(self) -> str:
        """The command that starts a studio in the folder around this one, for pictures that runs cannot lie among."""
        return shlex.join(["discern", "studio", str(self.root.parent)])

    def find_new(self, place: str) -> Path:
        """Return a path for a file or folder to make; nothing needs to be there.

        Raises:
            Refusal: It would lie outside of the folder, or have a name that is not good for files.
        """
        parts = PurePosixPath(place).parts
        if not parts or not all(is_good_name(part) for part in parts):
            raise Refusal(UNUSABLE, f"{cut(place, _MAX_NAME)!r} is no name of a new file or folder")
        path = self.root.joinpath(*parts)
        above = next(one for one in path.parents if one.exists())
        return self.find(above.relative_to(self.root).as_posix()) / path.relative_to(above)

    def sign(self, place: str) -> str:
        """Return the signature of a place, which stands in for the token in its link."""
        return hmac.new(self.secret, place.encode(), hashlib.sha256).hexdigest()[:32]

    def find_signed(self, signature: str, place: str) -> Path:
        """Return a file by its link.

        Raises:
            Refusal: The signature is not of this place, or the file is gone.
        """
        if not hmac.compare_digest(signature.encode(), self.sign(place).encode()):
            raise Refusal(FORBIDDEN, "this link is of another start of the studio; open the page again")
        return self.find(place)


def is_good_name(name: str) -> bool:
    """Return whether a file or folder may get this name: visible, printable, without separators, not too long."""
    is_plain = name.isprintable() and not set(name) & set('/\\:*?"<>|')
    return is_plain and 0 < len(name.encode()) <= 200 and not name.startswith((".", "-")) and name == name.strip()
