"""Bundles on the Hugging Face Hub: fetched once, into the cache that all programs of the user share.

Only the files of a bundle are fetched, by name, and none larger than its manifest says; `load_bundle` then checks them.
"""

import logging
from pathlib import Path

from discern.errors import OUT, BundleError, ConfigError, name_some
from discern.files import describe_bytes
from discern.hub import (
    TIMEOUT_SECONDS,
    HubAddress,
    describe_hub_failure,
    find_endpoint,
    is_hub_address,
    quiet_hub_client,
    read_hub_address,
)
from discern.predictor.description import DESCRIPTION_FILE
from discern.predictor.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, load_manifest
from discern.predictor.stored_tensors import EVIDENCE_FILE, FEATURE_BANK_FILE, FEATURE_BANK_NAMES_FILE, WEIGHTS_FILE

BUNDLE_FILES = (DESCRIPTION_FILE, WEIGHTS_FILE, EVIDENCE_FILE, FEATURE_BANK_FILE, FEATURE_BANK_NAMES_FILE)
"""All that a manifest may name."""

logger = logging.getLogger("discern")


def find_run(run: str | Path) -> Path:
    """Return the folder of a run or a bundle; that of hf://USER/NAME is fetched, unless it is here.

    Raises:
        BundleError: The repository cannot be read, or holds no bundle.
        ConfigError: The address cannot be understood.
    """
    return fetch_bundle(read_hub_address(run)) if is_hub_address(run) else Path(run)


def check_place(run: str | Path, out: str | Path | None) -> None:
    """Check that there is a place for what is written beside a run otherwise.

    Raises:
        ConfigError: The run is on the Hub, and no place was given.
    """
    if out is None and is_hub_address(run):
        raise ConfigError(f"{run} is on the Hugging Face Hub, so nothing is written beside it; give a place, ", OUT)


def fetch_bundle(address: HubAddress) -> Path:
    """Return the folder of a bundle on the Hub in the shared cache, all files from one commit.

    Raises:
        BundleError: The repository cannot be read and is not in the cache, or holds no bundle.
    """
    manifest = _fetch_file(address, MANIFEST_FILE, MAX_MANIFEST_BYTES)
    folder = manifest.parent  # named after the commit
    pinned = HubAddress(address.repository, folder.name)
    files = load_manifest(folder).files
    strange = [repr(name) for name in files if name not in BUNDLE_FILES]
    if strange:
        raise BundleError(
            f"{pinned} is not a bundle that this version of discern knows: its {MANIFEST_FILE} names "
            f"{name_some(strange)}; nothing but {', '.join(BUNDLE_FILES)} is downloaded"
        )
    missing = {name: record.bytes for name, record in files.items() if not (folder / name).exists()}
    if missing:
        logger.info("downloading %s, once: %s", describe_bytes(sum(missing.values())), pinned)
    for name, size_bytes in missing.items():
        _fetch_file(pinned, name, size_bytes)
    if not address.is_pinned:
        logger.info("%s is now at %s, which always names these files", address, pinned)
    return folder


def _fetch_file(address: HubAddress, name: str, max_bytes: int) -> Path:
    """Return a file in the cache, downloaded if need be and not larger than expected."""
    from huggingface_hub import hf_hub_download

    with quiet_hub_client():
        try:
            is_reached = _check_size(address, name, max_bytes)
            return Path(
                hf_hub_download(
                    address.repository,
                    name,
                    revision=address.revision,
                    endpoint=find_endpoint(),
                    local_files_only=not is_reached,
                )
            )
        except BundleError:
            raise
        except Exception as error:  # What carries the client's requests, and its errors, differ between its versions.
            raise BundleError(_describe(error, address, name)) from error


def _check_size(address: HubAddress, name: str, max_bytes: int) -> bool:
    """Check the size that the Hub states; return whether it could be asked, since otherwise the cache may serve."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    endpoint = find_endpoint()
    url = hf_hub_url(address.repository, name, revision=address.revision, endpoint=endpoint)
    try:
        size_bytes = get_hf_file_metadata(url, timeout=TIMEOUT_SECONDS, endpoint=endpoint).size
    except Exception as error:
        response = getattr(error, "response", None)
        if response is None or response.status_code >= 500:
            return False
        raise
    if size_bytes is None or size_bytes > max_bytes:
        size = "no size" if size_bytes is None else describe_bytes(size_bytes)
        raise BundleError(
            f"{address} is not a bundle of discern that can be trusted: {name} has {size}, and at most "
            f"{describe_bytes(max_bytes)} were expected; nothing of it was downloaded"
        )
    return True


def _describe(error: Exception, address: HubAddress, name: str) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    place = f"hf://{address.repository}"
    if isinstance(error, GatedRepoError):
        return f"{place} is open only to those whom its owner lets in; ask for it on its page, then `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"{place} does not exist, or is private and your token does not open it; check the name, or `hf auth login`"
        )
    if isinstance(error, RevisionNotFoundError):
        return f"{place} has no revision {address.revision!r}; give a branch, a tag or a commit of it"
    if isinstance(error, LocalEntryNotFoundError):
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the Hub cannot be reached"
        return f"{address} is not on this machine ({name}), and {why}; load it once where there is a network"
    if isinstance(error, EntryNotFoundError):
        return f"{address} holds no bundle of discern: it has no {name}; `discern push` uploads one"
    return f"{address} {describe_hub_failure(error)}; nothing was loaded"
