"""The certificate beside an exported file: where it is, how it is read and written, and what it vouches for."""

import logging
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from discern.errors import ExportError
from discern.exporting.certificate import Certificate, find_faults
from discern.files import compute_sha256, read_json, write_json

logger = logging.getLogger("discern")

_SCHEMA = TypeAdapter(Certificate)


def certificate_path(file: Path) -> Path:
    """Return where the certificate of an exported file is."""
    return file.with_name(f"{file.name}.certificate.json")


def save_certificate(certificate: Certificate, file: Path) -> None:
    """Write the certificate of an exported file beside it."""
    write_json(certificate_path(file), certificate.to_dict())
    logger.info("certificate: %s", certificate_path(file))


def load_certificate(file: Path) -> Certificate | None:
    """Return the certificate of an exported file, if there is one.

    Raises:
        ExportError: It is damaged.
    """
    path = certificate_path(file)
    if not path.is_file():
        return None
    try:
        return _SCHEMA.validate_python(read_json(path))
    except (ValueError, ValidationError):
        raise ExportError(f"{path} is damaged; remove it to have the file measured again") from None


def check_unchanged(file: Path) -> None:
    """Raise when a file is not the one that the certificate beside it was issued for.

    Raises:
        ExportError: It was changed, or its certificate is damaged.
    """
    issued = load_certificate(file)
    if issued is not None and compute_sha256(file) != issued.sha256:
        raise ExportError(
            f"{file} was changed after its certificate was issued; export it again, or remove "
            f"{certificate_path(file).name} to have it measured as it is"
        )


def check_certificate(certificate: Certificate, max_drop: float, consequence: str) -> None:
    """Log what was measured, and raise when the file may not be used.

    Raises:
        ExportError: It does not answer as the classifier does; the text begins with `consequence`.
    """
    for line in certificate.describe():
        logger.info("%s", line)
    faults = find_faults(certificate, max_drop)
    if faults:
        raise ExportError(f"{consequence}, since it does not answer as the classifier does: {'; '.join(faults)}")
