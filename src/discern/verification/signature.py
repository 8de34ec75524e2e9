"""Signatures: a list of files with their checksums, signed with Ed25519.

A signature proves that whoever holds the secret key vouched for exactly these files. It does not prove who that is, or
that they are right: compare the mark of the key with one that came to you another way.
"""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from discern.files import compute_sha256, read_json, write_json
from discern.verification.checks import Check, Signature, fail_check
from discern.verification.keys import check_packages, mark_bytes, mark_key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_FILE = "signature.json"
_FORMAT: Literal["discern-signature"] = "discern-signature"
_VERSION: Literal[1] = 1
_KEY_BYTES = 32


class _Signed(BaseModel):
    """The content of signature.json; key and signature are in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["discern-signature"] = _FORMAT
    format_version: Literal[1] = _VERSION
    files: Annotated[dict[str, str], Field(min_length=1)]
    public_key: str
    signature: str = ""

    def to_bytes(self) -> bytes:
        """Return what is signed: everything but the signature itself."""
        content = self.model_dump(exclude={"signature"})
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def signature_path(place: Path) -> Path:
    """Return where the signature of a run, a bundle or an exported file is."""
    return place / SIGNATURE_FILE if place.is_dir() else place.with_name(f"{place.name}.{SIGNATURE_FILE}")


def sign_files(root: Path, names: Iterable[str], key: "Ed25519PrivateKey", path: Path) -> None:
    """Write the signature of files, which are named from a folder."""
    public = key.public_key().public_bytes_raw()
    files = {name: compute_sha256(root / name) for name in sorted(names)}
    unsigned = _Signed(files=files, public_key=base64.b64encode(public).decode())
    signature = base64.b64encode(key.sign(unsigned.to_bytes())).decode()
    write_json(path, unsigned.model_copy(update={"signature": signature}).model_dump())


def check_signature(root: Path, path: Path, wanted: "Ed25519PublicKey | None") -> tuple[Check, Signature | None]:
    """Check a signature, and that the files are those that were signed.

    Args:
        root: The folder that the files are named from.
        path: The signature.
        wanted: The key that must have made it, if one is given.

    Returns:
        The check, and the signature as far as it was made by the key that it names.

    Raises:
        ConfigError: The package for signatures is missing.
    """
    try:
        signed = _Signed.model_validate(read_json(path))
        public = base64.b64decode(signed.public_key, validate=True)
    except (OSError, ValueError, ValidationError):
        return fail_check(path.name, "file", "it is damaged, or no signature of discern"), None
    if not _is_made_by(public, signed):
        return fail_check(path.name, "file", "it was not made by the key that it names: it was changed"), None
    found = Signature(
        file=path.name, key=mark_bytes(public), is_from_key=None if wanted is None else _is_key(wanted, public)
    )
    wrong = [] if found.is_from_key is not False else [_refuse_key(found.key, wanted)]
    for name, checksum in signed.files.items():
        place = root / name
        if not place.resolve().is_relative_to(root.resolve()) or not place.is_file():
            wrong.append(f"{name} was signed and is missing")
        elif compute_sha256(place) != checksum:
            wrong.append(f"{name} was changed after it was signed")
    return Check(name=path.name, kind="file", count=len(signed.files), disagreements=tuple(wrong)), found


def list_signed(path: Path) -> set[str]:
    """Return the names of the files that a signature is of; none where it cannot be read."""
    try:
        return set(_Signed.model_validate(read_json(path)).files)
    except (OSError, ValueError, ValidationError):
        return set()


def _is_made_by(public: bytes, signed: _Signed) -> bool:
    check_packages()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(public) != _KEY_BYTES:
        return False
    try:
        signature = base64.b64decode(signed.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed.to_bytes())
    except (InvalidSignature, ValueError):
        return False
    return True


def _is_key(wanted: "Ed25519PublicKey", public: bytes) -> bool:
    return wanted.public_bytes_raw() == public


def _refuse_key(found: str, wanted: "Ed25519PublicKey | None") -> str:
    expected = "" if wanted is None else f", not by {mark_key(wanted)}"
    return f"it was made by the key {found}{expected}"
