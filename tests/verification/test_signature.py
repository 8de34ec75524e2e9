"""Signatures: what is accepted, and every way of being wrong."""

import base64
import json
import stat

import pytest

from discern.errors import ConfigError
from discern.verification.keys import load_public_key, load_secret_key, make_key, mark_key
from discern.verification.signature import check_signature, sign_files


@pytest.fixture
def signed(tmp_path):
    """A folder with two signed files, and the key."""
    make_key(tmp_path / "my.key")
    root = tmp_path / "folder"
    root.mkdir()
    for name in ("a.txt", "b.txt"):
        (root / name).write_text(name)
    sign_files(root, ["a.txt", "b.txt"], load_secret_key(tmp_path / "my.key"), root / "signature.json")
    return root


def test_a_signature_holds_for_its_files_and_its_key(signed, tmp_path):
    public = load_public_key(tmp_path / "my.key.pub")
    check, found = check_signature(signed, signed / "signature.json", public)
    assert (check.count, check.disagreements) == (2, ())
    assert (found.key, found.is_from_key) == (mark_key(public), True)
    assert check_signature(signed, signed / "signature.json", None)[1].is_from_key is None


def test_other_keys_and_changed_files_are_named_together(signed, tmp_path):
    other = make_key(tmp_path / "other.key")
    (signed / "a.txt").write_text("changed")
    (signed / "b.txt").unlink()
    check, found = check_signature(signed, signed / "signature.json", other)
    assert not found.is_from_key
    assert check.disagreements == (
        f"it was made by the key {found.key}, not by {mark_key(other)}",
        "a.txt was changed after it was signed",
        "b.txt was signed and is missing",
    )


def test_no_part_of_a_signature_can_be_changed(signed, tmp_path):
    path = signed / "signature.json"
    content = json.loads(path.read_text())
    other = base64.b64encode(make_key(tmp_path / "other.key").public_bytes_raw()).decode()
    changes = {
        "files": {**content["files"], "a.txt": "0" * 64},
        "public_key": other,
        "signature": base64.b64encode(bytes(64)).decode(),
        "format_version": 2,
        "format": "other",
        "more": 1,
    }
    for name, value in changes.items():
        path.write_text(json.dumps({**content, name: value}))
        check, found = check_signature(signed, path, None)
        assert found is None, name
        assert check.disagreements, name
    for damaged in ("", "{}", "[]", '{"public_key": "%"}'):
        path.write_text(damaged)
        assert check_signature(signed, path, None)[0].disagreements == ("it is damaged, or no signature of discern",)


def test_a_name_that_leaves_the_folder_is_not_read(signed, tmp_path):
    (tmp_path / "outside.txt").write_text("secret")
    sign_files(signed, ["../outside.txt"], load_secret_key(tmp_path / "my.key"), signed / "signature.json")
    check, _ = check_signature(signed, signed / "signature.json", None)
    assert check.disagreements == ("../outside.txt was signed and is missing",)


def test_a_secret_key_is_for_its_owner_alone_and_never_replaced(tmp_path):
    make_key(tmp_path / "my.key")
    assert stat.S_IMODE((tmp_path / "my.key").stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="there already, and a key is never replaced"):
        make_key(tmp_path / "my.key")


@pytest.mark.parametrize(
    ("load", "content", "text"),
    [
        (load_secret_key, None, "the secret key .* cannot be read: No such file or directory; make one with"),
        (load_secret_key, b"nonsense", "is no secret key .*; expected an Ed25519 key in PEM; make one with"),
        (load_secret_key, "public", "is no secret key \\(it is the public key\\)"),
        (load_secret_key, "rsa", "is a key of another kind; expected Ed25519"),
        (load_secret_key, "locked", "is locked with a passphrase"),
        (load_public_key, "secret", "is a secret key, which should stay with its owner"),
        (load_public_key, b"nonsense", r"is no public key; expected the \.pub file"),
    ],
)
def test_keys_that_cannot_be_used_are_refused(tmp_path, load, content, text):
    path = tmp_path / "some.key"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else _build_key(content, tmp_path))
    with pytest.raises(ConfigError, match=text):
        load(path)


def _build_key(kind, folder):
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    if kind in ("public", "secret"):
        make_key(folder / "new.key")
        return (folder / ("new.key.pub" if kind == "public" else "new.key")).read_bytes()
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(b"word") if kind == "locked" else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
