"""Ed25519 keys in PEM files: the secret one signs, the public one is given to everybody who wants to check."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from discern.errors import ConfigError, Option, install_command, one_line, option
from discern.files import explain_write_error, write_atomically

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ONLY_FOR_OWNER = 0o600
_MAKE = Option("make one with: discern verify --new-key my.key", 'make one with discern.make_key("my.key")')


def check_packages() -> None:
    """Raise when the package that signatures need is not installed.

    Raises:
        ConfigError: It is missing.
    """
    try:
        import cryptography  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        raise ConfigError(f"signatures need the package cryptography: {install_command('sign')}") from None


def public_path(path: Path) -> Path:
    """Return where the public key of a secret one is written."""
    return path.with_name(f"{path.name}.pub")


def make_key(path: Path) -> "Ed25519PublicKey":
    """Write a new secret key that only its owner may read, and the public key beside it as NAME.pub.

    Raises:
        ConfigError: One of the files is there already, or the package for signatures is missing.
        WriteError: They cannot be written.
    """
    check_packages()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    there = [str(one) for one in (path, public_path(path)) if one.exists()]
    if there:
        raise ConfigError(f"{' and '.join(there)}: there already, and a key is never replaced; name another file")
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _ONLY_FOR_OWNER), "wb") as file:
            file.write(secret)
    except OSError as error:
        raise explain_write_error(error, path) from error
    public = key.public_key()
    write_atomically(public_path(path), public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public


def load_secret_key(path: Path) -> "Ed25519PrivateKey":
    """Return the secret key of a PEM file.

    Raises:
        ConfigError: There is none that can be used, or the package for signatures is missing.
    """
    check_packages()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(path, "secret")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise ConfigError(f"{path} is locked with a passphrase; give one that is not, or ", _MAKE) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = "it is the public key" if b"PUBLIC KEY" in content else one_line(error, 100)
        raise ConfigError(f"{path} is no secret key ({reason}); expected an Ed25519 key in PEM; ", _MAKE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is a key of another kind; expected Ed25519; ", _MAKE)
    return key


def load_public_key(path: Path) -> "Ed25519PublicKey":
    """Return the public key of a PEM file.

    Raises:
        ConfigError: There is none that can be used, or the package for signatures is missing.
    """
    check_packages()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path, "public")
    expected = ("expected the .pub file of whoever signed, for ", option("key"))
    if b"PRIVATE KEY" in content:
        raise ConfigError(f"{path} is a secret key, which should stay with its owner; ", *expected)
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(f"{path} is no public key; ", *expected) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} is a key of another kind than Ed25519; ", *expected)
    return key


def mark_key(key: "Ed25519PublicKey") -> str:
    """Return the mark of a public key, short enough to be read out and compared."""
    return mark_bytes(key.public_bytes_raw())


def mark_bytes(public: bytes) -> str:
    """Return the mark of the 32 bytes of a public key."""
    return hashlib.sha256(public).hexdigest()[:32]


def _read(path: Path, kind: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the {kind} key {path} cannot be read: {error.strerror or error}; ", _MAKE) from None
