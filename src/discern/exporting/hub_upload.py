"""Uploads the folder of a bundle to the Hugging Face Hub, as one commit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from discern.errors import ExportError, name_some
from discern.hub import HubAddress, describe_hub_failure, find_endpoint, quiet_hub_client
from discern.version import __version__

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_OF_THE_HUB = ".gitattributes"


def upload_bundle(folder: Path, address: HubAddress, *, known: Sequence[str], private: bool | None = None) -> str:
    """Upload all files of a folder, and return the commit that has them.

    Args:
        folder: The bundle.
        address: The repository, which is made if there is none, and the branch, likewise.
        known: The names that files of a bundle may have. Those of an earlier bundle that are not in the folder are
            removed; a repository that has other files is refused.
        private: Of a new repository: visible to its owner alone. By default as the owner's account says.

    Raises:
        ExportError: There is no token, the Hub cannot be reached or refuses, or the repository has other files.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    if get_token() is None:
        raise ExportError(
            "there is no token for the Hugging Face Hub, which says who you are; log in by `hf auth login`, or set "
            "HF_TOKEN to a token that may write"
        )
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    api = HfApi(endpoint=find_endpoint())
    with quiet_hub_client():
        try:
            present = _prepare_branch(api, address, private)
            strange = [name for name in present if name not in (*known, _OF_THE_HUB)]
            if strange:
                raise ExportError(
                    f"{address} has files that are not those of a bundle ({name_some(strange)}), and they would be "
                    "mixed; give the name of a new repository"
                )
            gone = [name for name in present if name in known and not (folder / name).is_file()]
            commit = api.create_commit(
                address.repository,
                [
                    *(CommitOperationDelete(name) for name in gone),
                    *(CommitOperationAdd(path.name, str(path)) for path in paths),
                ],
                commit_message=f"Upload a classifier of discern {__version__}",
                revision=address.revision,
            )
        except ExportError:
            raise
        except Exception as error:  # What carries the client's requests, and its errors, differ between its versions.
            raise ExportError(_describe(error, address)) from error
    return str(commit.oid)


def _prepare_branch(api: "HfApi", address: HubAddress, private: bool | None) -> list[str]:
    """Make the repository and the branch unless they are there, and return the files that the branch has."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        return api.list_repo_files(address.repository, revision=address.revision)
    except RevisionNotFoundError:
        api.create_branch(address.repository, branch=str(address.revision))
        return api.list_repo_files(address.repository, revision=address.revision)
    except RepositoryNotFoundError:
        api.create_repo(address.repository, private=private)
        if address.revision is not None:
            api.create_branch(address.repository, branch=address.revision, exist_ok=True)
        return []


def _describe(error: Exception, address: HubAddress) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return (
            f"your token may not write to {address}; make one that may write, on the Hub's page of tokens, then log in "
            "by `hf auth login`"
        )
    return f"{address} {describe_hub_failure(error)}; nothing was uploaded"
