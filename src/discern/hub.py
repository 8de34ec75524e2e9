"""The Hugging Face Hub: addresses such as hf://user/name@v1, its client, and what the client's errors mean."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from discern.errors import ConfigError

HUB_URL = "https://huggingface.co"
TIMEOUT_SECONDS = 10.0
_PREFIX = re.compile(r"hf:/{1,2}")
"""`Path` makes one slash of two."""
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubAddress(NamedTuple):
    """A repository on the Hub, and its revision: a branch, a tag or a commit; None for the main branch."""

    repository: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"hf://{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which always has the same files."""
        return self.revision is not None and _COMMIT.fullmatch(self.revision) is not None


def is_hub_address(text: str | Path) -> bool:
    """Return whether it is an address on the Hub, and no path."""
    return _PREFIX.match(str(text)) is not None


def read_hub_address(text: str | Path) -> HubAddress:
    """Return the parts of hf://USER/NAME or hf://USER/NAME@REVISION; hf:// may be left out.

    Raises:
        ConfigError: It is no such address.
    """
    repository, _, revision = _PREFIX.sub("", str(text), count=1).partition("@")
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(
            f"{str(text)!r} is no repository on the Hugging Face Hub; expected hf://USER/NAME, or with a branch, a tag "
            "or a commit hf://USER/NAME@REVISION"
        )
    return HubAddress(repository, revision or None)


def find_endpoint() -> str | None:
    """Return the server that HF_ENDPOINT names, which the client reads only once; None for its own."""
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def quiet_hub_client() -> Iterator[None]:
    """Keep the client's attempts, which are for programmers, from the screen; its error says what came of them."""
    from huggingface_hub.utils import logging as hub_logging

    verbosity = hub_logging.get_verbosity()
    hub_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        hub_logging.set_verbosity(verbosity)


def describe_hub_failure(error: Exception) -> str:
    """Say in a few words why the client gave up, as they follow an address; what it says itself is for programmers."""
    from huggingface_hub.errors import FileMetadataError, OfflineModeIsEnabled

    reason = error.__cause__ or error
    response = getattr(reason, "response", None)
    first_line = (str(reason).splitlines() or [type(reason).__name__])[0]
    if response is not None:
        return f"answered {response.status_code} ({first_line})"
    if isinstance(reason, OfflineModeIsEnabled):
        return "was not asked, because HF_HUB_OFFLINE is set, and the file is not here"
    if isinstance(reason, FileMetadataError):
        return "did not send weights; nothing was kept"
    return f"cannot be reached or broke off ({first_line})"
