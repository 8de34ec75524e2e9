"""Finds published weights on this machine or fetches them, by torch for torchvision's files and by the Hub's client.

Each file is kept whole or not at all. torchvision's lie in a folder of discern; those on the Hugging Face Hub lie in
the cache that all programs of the user share, so that its settings (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE) count here too.
"""

import logging
from contextlib import suppress
from pathlib import Path

from discern.download import DownloadError, download_file
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
    path = folder / weights.file_name
    try:
        download_file(weights.url, path, weights.checksum)
    except DownloadError as error:
        raise WeightsError(f"{error}. {next_step}") from error
    return path


def _ask_hub_for_size(weights: PublishedWeights) -> int | None:
    """Return the size of a file on the Hub; None where it does not tell, for which the download has the reason."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    with suppress(Exception):  # as for the download
        url = hf_hub_url(weights.hub_id, weights.file_name, endpoint=find_endpoint())
        return get_hf_file_metadata(url, timeout=TIMEOUT_SECONDS).size
    return None


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
