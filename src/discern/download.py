"""Fetches one published file, whole or not at all, from a server that may answer anything or nothing."""

import socket
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from discern.errors import DiscernError

_TIMEOUT_SECONDS = 10.0


class DownloadError(DiscernError):
    """A file cannot be fetched; whoever asked for it knows what else can be done."""


def download_file(url: str, path: Path, checksum: str) -> None:
    """Fetch a file whose SHA-256 begins with `checksum`, empty where none is published; a terminal sees how far it is.

    Raises:
        DownloadError: The server cannot be reached, does not have the file or sent something else.
    """
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _limited_waiting():
            torch.hub.download_url_to_file(url, str(path), hash_prefix=checksum, progress=sys.stderr.isatty())
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(f"{url} answered {error.code} ({error.reason})") from error
    except urllib.error.URLError as error:
        raise DownloadError(f"{url} cannot be reached ({error.reason})") from error
    except RuntimeError as error:
        raise DownloadError(
            f"{url} sent another file than was published, or a part of it: its SHA-256 differs ({error}); it was not "
            "kept"
        ) from error
    except Exception as error:  # A connection can break off in many ways.
        raise DownloadError(f"{url} was not downloaded whole ({error})") from error


@contextmanager
def _limited_waiting() -> Iterator[None]:
    """Let a server that does not answer end the download; torch would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
