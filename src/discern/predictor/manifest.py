"""The manifest of a bundle: size and checksum of each of its files, by which damage and edits are found."""

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from discern.errors import BundleError, list_some
from discern.files import compute_sha256, read_json, write_json

MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 2**20


class FileRecord(BaseModel):
    """What a file was when it was written."""

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """The content of manifest.json: the files of a bundle by name."""

    files: dict[str, FileRecord] = Field(min_length=1, max_length=100)


def save_manifest(folder: Path, names: Iterable[str]) -> None:
    """Write the manifest of these files."""
    files = {
        name: FileRecord(bytes=(folder / name).stat().st_size, sha256=compute_sha256(folder / name)) for name in names
    }
    write_json(folder / MANIFEST_FILE, Manifest(files=files).model_dump())


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest.

    Raises:
        BundleError: It is missing or damaged.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise BundleError(f"{path} is missing: the bundle is not complete; export or copy all of its folder again")
    try:
        return Manifest.model_validate(read_json(path, max_bytes=MAX_MANIFEST_BYTES))
    except (OSError, ValueError, ValidationError):
        raise BundleError(f"{path} is damaged; take the bundle from a copy, or train again") from None


def check_files(folder: Path, manifest: Manifest, needed: Iterable[str]) -> None:
    """Check that the files are those that were written, and that the manifest has those that are needed.

    Raises:
        BundleError: Some are missing, damaged or were changed; all are named.
    """
    wrong = find_changed_files(folder, manifest, needed)
    if wrong:
        raise BundleError(
            f"{folder} cannot be trusted:\n{list_some(wrong)}\nTake the bundle from a copy, or train again."
        )


def find_changed_files(folder: Path, manifest: Manifest, needed: Iterable[str]) -> list[str]:
    """Return what is wrong, a sentence for each file that is not as it was written or that the manifest lacks."""
    wrong = [f"{name} is not in {MANIFEST_FILE}" for name in needed if name not in manifest.files]
    for name, record in manifest.files.items():
        path = folder / name
        if Path(name).name != name:
            wrong.append(f"{name!r} is no name of a file")
        elif not path.is_file():
            wrong.append(f"{name} is missing: the bundle is not complete")
        elif path.stat().st_size != record.bytes or compute_sha256(path) != record.sha256:
            wrong.append(f"{name} is damaged or was changed: its checksum is not the one in {MANIFEST_FILE}")
    return wrong
