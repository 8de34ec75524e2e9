"""The encoding of a user's text file, by its first bytes, and what to do with a file that is no text."""

import codecs
from pathlib import Path

_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16"}
_MARKS[codecs.BOM_UTF16_BE] = "utf-16"
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_LOOKED_AT = 1000


def find_encoding(path: Path) -> str:
    """Return UTF-16 or UTF-32 for a file that begins with their mark, otherwise UTF-8.

    Raises:
        OSError: The file cannot be read.
    """
    start = _read_start(path)
    return next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), "utf-8-sig")


def advise_on_text(path: Path, error: Exception) -> str:
    """Return what a file is that cannot be read as text, and what to do; empty where that is not known."""
    is_text = not isinstance(error, UnicodeError) and b"\0" not in _read_start(path)
    other = "" if is_text else " It is text in another encoding: save it as CSV UTF-8, as spreadsheets offer it."
    return advise_on_packed(path) or other


def advise_on_packed(path: Path) -> str:
    """Return what to do with a compressed file, an archive or a workbook; empty for any other file."""
    start = _read_start(path)
    packed = next((name for mark, name in _PACKED.items() if start.startswith(mark)), None)
    if packed is not None:
        return f" It is compressed with {packed}: unpack it first."
    if start.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        return " It is a workbook or a zip archive: save the table as CSV UTF-8, or unpack the archive."
    return ""


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LOOKED_AT)
