"""Fetches one file over HTTP, whole and checked, or not at all."""

import hashlib
import http.client
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from discern.errors import WeightsError
from discern.files import replacing

_CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 10.0


def download(url: str, path: Path, *, checksum: str, next_step: str) -> None:
    """Download `url` to `path`; on any failure `path` stays as it was. Progress is shown on a terminal only.

    Args:
        url: Of a file, http or https.
        path: Where it will lie; folders are made.
        checksum: The SHA-256 in hex must start with it; "" checks the length only.
        next_step: What the user can do when it fails; ends the error's text.

    Raises:
        WeightsError: The server cannot be reached, does not have the file or sent another one.
    """
    if not url.startswith(("http://", "https://")):
        raise WeightsError(f"{url} is no http or https address. {next_step}")
    path.parent.mkdir(parents=True, exist_ok=True)
    request = urllib.request.Request(url, headers={"User-Agent": "discern"})  # noqa: S310 (scheme checked above)
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
                digest = _copy(response, file, description=path.name)
            if not digest.startswith(checksum):
                raise WeightsError(
                    f"{url} sent a file whose SHA-256 starts with {digest[: len(checksum)]}, expected {checksum}; "
                    f"it was not kept. {next_step}"
                )
    except urllib.error.HTTPError as error:
        error.close()
        raise WeightsError(f"{url} answered {error.code} ({error.reason}). {next_step}") from error
    except urllib.error.URLError as error:
        raise WeightsError(f"{url} cannot be reached ({error.reason}). {next_step}") from error
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(f"{url} was not downloaded whole ({error}). {next_step}") from error


def _copy(response: http.client.HTTPResponse, file: BinaryIO, *, description: str) -> str:
    """Copy the body, check its length and return its SHA-256 in hex."""
    expected = int(response.headers["Content-Length"]) if response.headers["Content-Length"] else None
    sha256 = hashlib.sha256()
    received = 0
    with _progress() as progress:
        task = progress.add_task(description, total=expected)
        while chunk := response.read(_CHUNK_BYTES):
            file.write(chunk)
            sha256.update(chunk)
            received += len(chunk)
            progress.update(task, completed=received)
    if expected is not None and received != expected:
        raise OSError(f"{received} of {expected} bytes came")
    return sha256.hexdigest()


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty())
