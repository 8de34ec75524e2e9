"""Uploads the classifier of a run to the Hugging Face Hub."""

import logging
import tempfile
from pathlib import Path

from discern.console import reporting
from discern.errors import ConfigError
from discern.exporting.hub_upload import upload_bundle
from discern.exporting.public_bundle import make_public
from discern.files import describe_bytes
from discern.hub import HUB_URL, HubAddress, find_endpoint, read_hub_address
from discern.models.custom import Network
from discern.predictor.bundle import load_bundle, save_bundle
from discern.predictor.hub_bundle import BUNDLE_FILES
from discern.predictor.manifest import MANIFEST_FILE
from discern.reports.bundle_card import CARD_FILE, write_bundle_card

logger = logging.getLogger("discern")


def push(
    run: str | Path,
    repository: str,
    *,
    revision: str | None = None,
    private: bool | None = None,
    whole: bool = False,
    network: Network | None = None,
    verbose: bool = True,
) -> str:
    """Upload the bundle of a run with its model card, and return the address that always loads it.

    What is uploaded has no paths, pictures and features of the training pictures, as `discern.export_public` writes it.
    What is uploaded is listed with its size before it goes.

    Args:
        run: A run folder or a bundle.
        repository: "user/name"; it is made if there is none. One that has other files than a bundle is refused.
        revision: The branch to upload to, made if there is none; the main branch by default.
        private: Make a new repository visible to you alone; by default as your account says.
        whole: Upload the bundle as it is, with the names and features of training pictures, by which it tells how
            familiar a picture is.
        network: Your own, if the run was trained with one.
        verbose: Show progress on standard output.

    Raises:
        ConfigError: The name of the repository cannot be understood.
        BundleError: The run has no classifier that can be read.
        ExportError: There is no token, or the Hub cannot be reached or refuses.
    """
    address = read_hub_address(repository)
    if address.revision is not None:
        raise ConfigError(f"{repository} names a revision; give the repository alone, and the branch as revision")
    address = HubAddress(address.repository, revision)
    with reporting(verbose=verbose), tempfile.TemporaryDirectory() as temporary:
        bundle, folder = load_bundle(Path(run), network), Path(temporary)
        save_bundle(bundle if whole else make_public(bundle), folder)
        write_bundle_card(folder, address=str(address))
        _log_files(folder, address, whole=whole)
        known = (*BUNDLE_FILES, MANIFEST_FILE, CARD_FILE)
        commit = upload_bundle(folder, address, known=known, private=private)
        logger.info("uploaded: %s/%s/tree/%s", find_endpoint() or HUB_URL, address.repository, commit)
    return str(HubAddress(address.repository, commit))


def _log_files(folder: Path, address: HubAddress, *, whole: bool) -> None:
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    logger.info("uploading %s to %s:", describe_bytes(sum(sizes.values())), address)
    for name, size_bytes in sizes.items():
        logger.info("  %s, %s", name, describe_bytes(size_bytes))
    logger.info(
        "with the names and features of training pictures"
        if whole
        else "without paths, pictures and features of the training pictures"
    )
