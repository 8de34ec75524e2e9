"""Checks an exported file by its certificate."""

from pathlib import Path

from discern.errors import ExportError
from discern.exporting.certificate_file import certificate_path, load_certificate
from discern.files import compute_sha256
from discern.verification.checks import Check, fail_check


def check_exported(file: Path) -> Check:
    """Compare the checksum of an exported file with the one in its certificate."""
    try:
        certificate = load_certificate(file)
    except ExportError as error:
        return fail_check(file.name, "file", error)
    if certificate is None:
        return fail_check(file.name, "file", f"its certificate {certificate_path(file).name} is missing")
    wrong = "it was changed after its certificate was issued: its checksum is another one"
    is_unchanged = compute_sha256(file) == certificate.sha256
    return Check(name=file.name, kind="file", count=1, disagreements=() if is_unchanged else (wrong,))


def find_exported(folder: Path) -> list[Path]:
    """Return the exported files in a folder: those that have a certificate, or whose certificate is left."""
    ending = certificate_path(Path("x")).name.removeprefix("x")
    return sorted(path.with_name(path.name.removesuffix(ending)) for path in folder.glob(f"*{ending}"))
