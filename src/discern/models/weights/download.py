"""Finds published weights on this machine or fetches them, by torch for torchvision's files and by the Hub's client.

Each file is kept whole or not at all. torchvision's lie in a folder of discern; those on the Hugging Face Hub lie in
the cache that all programs of the user share, so that its settings (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE) count here too.
"""

import logging
import socket
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from discern.errors import WeightsError
from discern.files import describe_bytes
from discern.hub import TIMEOUT_SECONDS, describe_hub_failure, find_endpoint, quiet_hub_client
from discern.models.weights.catalog import PublishedWeights
from discern.models.weights.state_dicts import read_tensors

logger = logging.getLogger("discern")


def find_cached(weights: PublishedWeights, folder: Path) -> Path | None:
    """Return the path of published weights on this machine; None where they are not here.

    Args:
        weights: What to look for.
        folder: Where torchvision's files are kept.
    """
    if not weights.hub_id:
        path = folder / weights.file_name
        return path if path.is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(weights.hub_id, weights.file_name)
    return Path(found) if isinstance(found, str) else None


def download(weights: PublishedWeights, folder: Path) -> Path:
    """Say how much is fetched, download published weights and return their path; progress is shown on a terminal.

    Args:
        weights: What to download.
        folder: Where torchvision's files are kept; it is made if needed.

    Raises:
        WeightsError: The server cannot be reached, does not have the file or sent something else.
    """
    place = "in the cache of the Hugging Face Hub" if weights.hub_id else f"as {folder / weights.file_name}"
    next_step = (
        f"Fetch it where there is a network (`discern weights fetch {weights.name}` keeps it {place}), "
        "give a file as model.weights=PATH, or start from random weights with model.weights=none."
    )
    if not weights.url.startswith(("http://", "https://")):
        raise WeightsError(f"{weights.url} is no http or https address. {next_step}")
    size_bytes = _ask_hub_for_size(weights) if weights.hub_id else weights.size_bytes
    size = "a file" if size_bytes is None else describe_bytes(size_bytes)
    logger.info("downloading %s of weights, once: %s, kept %s", size, weights.url, place)
    if weights.hub_id:
        return _download_from_hub(weights, next_step)
    return _download_file(weights, folder / weights.file_name, next_step)


def _ask_hub_for_size(weights: PublishedWeights) -> int | None:
    """Return the size of a file on the Hub; None where it does not tell, for which the download has the reason."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    with suppress(Exception):  # as for the download
        url = hf_hub_url(weights.hub_id, weights.file_name, endpoint=find_endpoint())
        return get_hf_file_metadata(url, timeout=TIMEOUT_SECONDS).size
    return None


def _download_file(weights: PublishedWeights, path: Path, next_step: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _limited_waiting():
            torch.hub.download_url_to_file(
                weights.url, str(path), hash_prefix=weights.checksum, progress=sys.stderr.isatty()
            )
    except urllib.error.HTTPError as error:
        error.close()
        raise WeightsError(f"{weights.url} answered {error.code} ({error.reason}). {next_step}") from error
    except urllib.error.URLError as error:
        raise WeightsError(f"{weights.url} cannot be reached ({error.reason}). {next_step}") from error
    except RuntimeError as error:
        raise WeightsError(
            f"{weights.url} sent another file than was published, or a part of it: its SHA-256 differs ({error}); "
            f"it was not kept. {next_step}"
        ) from error
    except Exception as error:  # A connection can break off in many ways.
        raise WeightsError(f"{weights.url} was not downloaded whole ({error}). {next_step}") from error
    return path


@contextmanager
def _limited_waiting() -> Iterator[None]:
    """Let a server that does not answer end the download; torch would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _download_from_hub(weights: PublishedWeights, next_step: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        with quiet_hub_client():
            path = Path(hf_hub_download(weights.hub_id, weights.file_name, endpoint=find_endpoint()))
    except Exception as error:  # What carries the client's requests, and its errors, differ between its versions.
        raise WeightsError(f"{weights.url} {describe_hub_failure(error)}. {next_step}") from error
    try:
        read_tensors(path)
    except WeightsError as error:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise WeightsError(f"{weights.url} did not send weights; nothing was kept. {next_step}") from error
    return path
