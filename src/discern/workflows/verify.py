"""Checks every checksum of a run, a bundle or an exported file, and computes every published number again."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from discern.console import reporting
from discern.errors import DataError, list_some
from discern.exporting.certificate_file import certificate_path
from discern.exporting.formats import has_format
from discern.predictor.description import DESCRIPTION_FILE
from discern.predictor.manifest import MANIFEST_FILE
from discern.run_folder import RunFolder
from discern.verification import keys
from discern.verification.bundle import check_bundle_files, check_described
from discern.verification.checks import Check, Kind, Signature, Verification, fail_check
from discern.verification.exported import check_exported
from discern.verification.run import check_run, list_unchecked
from discern.verification.signature import check_signature, list_signed, sign_files, signature_path

logger = logging.getLogger("discern")

_KINDS: dict[Kind, str] = {"file": "checksums of files", "number": "numbers", "text": "texts of the report"}


def verify(
    place: str | Path, *, sign: str | Path | None = None, key: str | Path | None = None, verbose: bool = True
) -> Verification:
    """Check that files are those that were written, and that published numbers are those that the predictions give.

    Args:
        place: A run folder, a bundle, or an exported file with its certificate.
        sign: A secret key; if everything agrees, the place is signed with it.
        key: The public key by which it must be signed.
        verbose: Show each check on standard output.

    Returns:
        All checks; `disagreements` is empty where everything agrees.

    Raises:
        DataError: There is nothing of discern in this place.
        ConfigError: A key cannot be used, or the package for signatures is missing.
    """
    root = Path(place)
    secret = None if sign is None else keys.load_secret_key(Path(sign))
    public = None if key is None else keys.load_public_key(Path(key))
    with reporting(verbose=verbose):
        checks, unchecked = _choose_checks(root)()
        if secret is not None and not any(check.disagreements for check in checks):
            for signed in _list_signed_places(root):
                sign_files(_find_base(signed), _list_files(signed), secret, signature_path(signed))
        signatures: list[Signature] = []
        for signed in _list_signed_places(root):
            path = signature_path(signed)
            if path.is_file():
                check, signature = check_signature(_find_base(signed), path, public)
                checks.append(check.model_copy(update={"name": _name(path, root)}))
                signatures += [] if signature is None else [signature.model_copy(update={"file": _name(path, root)})]
        if public is not None and not signatures:
            checks.append(fail_check(_name(signature_path(root), root), "file", "it is missing: this is not signed"))
        unchecked += _describe_unsigned(root)
        found = Verification(
            place=str(root), checks=tuple(checks), not_checked=tuple(unchecked), signatures=tuple(signatures)
        )
        _log(found, was_asked_to_sign=sign is not None)
    return found


def make_key(path: str | Path, *, verbose: bool = True) -> Path:
    """Make a key to sign with: a secret file that only you may read, and beside it NAME.pub, to give away.

    Returns:
        The path of the public key.

    Raises:
        ConfigError: One of the files is there already, or the package for signatures is missing.
        WriteError: They cannot be written.
    """
    with reporting(verbose=verbose):
        public = keys.make_key(Path(path))
        logger.info("%s signs: keep it secret, and keep a copy; nobody can make it again", path)
        logger.info("%s checks: give it away; its mark is %s", keys.public_path(Path(path)), keys.mark_key(public))
    return keys.public_path(Path(path))


def _choose_checks(place: Path) -> Callable[[], tuple[list[Check], list[str]]]:
    """Return the function that checks what is in a place, by its kind.

    Raises:
        DataError: There is nothing that can be checked.
    """
    run = RunFolder(place)
    if place.is_file() and (certificate_path(place).is_file() or has_format(place)):
        return lambda: ([check_exported(place)], ["that the file answers as its classifier: discern export --verify"])
    if (place / DESCRIPTION_FILE).is_file() or (place / MANIFEST_FILE).is_file():
        return lambda: (
            [check_bundle_files(place), *check_described(place)],
            ["scores on test pictures, whose predictions are in the run folder and not in its bundle"],
        )
    if run.is_ours():
        return lambda: (list(check_run(run)), list_unchecked(run))
    raise DataError(
        f"{place} is no run, no bundle and no exported file; give the folder that discern train wrote, its bundle "
        "folder, or a file that discern export wrote"
    )


def _list_signed_places(place: Path) -> list[Path]:
    """Return what has a signature of its own: of a run also its bundle, which may be copied alone."""
    run = RunFolder(place)
    return [run.bundle, place] if place.is_dir() and run.is_ours() and run.bundle.is_dir() else [place]


def _find_base(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def _list_files(place: Path) -> Sequence[str]:
    """Return the names of the files that a signature of a place is of."""
    if place.is_file():
        certificate = place.with_name(f"{place.name}.certificate.json")
        return [place.name, certificate.name]
    if (place / MANIFEST_FILE).is_file():
        return [MANIFEST_FILE]
    own = signature_path(place)
    files = (path.relative_to(place) for path in place.rglob("*") if path.is_file() and path != own)
    return [file.as_posix() for file in files if not any(part.startswith(".") for part in file.parts)]


def _describe_unsigned(place: Path) -> list[str]:
    """Say which files of a signed place its signature is not of."""
    signed = list_signed(signature_path(place))
    added = sorted(set(_list_files(place)) - signed) if signed else []
    return [f"files that were added after it was signed: {', '.join(added)}"] if added else []


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if root.is_dir() else path.name


def _log(found: Verification, *, was_asked_to_sign: bool) -> None:
    for check in found.checks:
        logger.info("%s", check.describe())
    for text in found.not_checked:
        logger.info("not checked: %s", text)
    for signature in found.signatures:
        owner = "the key that was given" if signature.is_from_key else "compare it with the one that its owner names"
        logger.info("%s was made by the key %s: %s", signature.file, signature.key, owner)
    counts = [f"{found.count(kind)} {noun}" for kind, noun in _KINDS.items() if found.count(kind)]
    wrong = found.disagreements
    if wrong:
        logger.error("%s disagree, of %s:\n%s", len(wrong), ", ".join(counts), list_some(wrong, shown=30))
        if was_asked_to_sign:
            logger.error("nothing was signed")
    else:
        logger.info("all agree: %s", ", ".join(counts))
