"""What a file is by its first bytes, whatever its name says."""

from pathlib import Path
from typing import NamedTuple

from discern.errors import install_command

HEAD_BYTES = 32
"""How much of a file its type is found by."""


class FileType(NamedTuple):
    """A type of file; `advice` says what makes a picture of it, and is empty where it can be read."""

    name: str
    advice: str = ""
    is_picture: bool = True


_HEIC = FileType("HEIC", f"to read it: {install_command('heif')}")
_AVIF = FileType("AVIF", "install a Pillow with AVIF to read it")
_CONVERT = "convert it to JPEG or PNG"
_VIDEO = FileType("a video", "take pictures from it", is_picture=False)

_BY_START = (
    (b"\xff\xd8\xff", FileType("JPEG")),
    (b"\x89PNG\r\n\x1a\n", FileType("PNG")),
    (b"GIF87a", FileType("GIF")),
    (b"GIF89a", FileType("GIF")),
    (b"II*\0", FileType("TIFF")),
    (b"MM\0*", FileType("TIFF")),
    (b"\xff\x0a", FileType("JPEG XL", _CONVERT)),
    (b"\0\0\0\x0cJXL ", FileType("JPEG XL", _CONVERT)),
    (b"\0\0\0\x0cjP  ", FileType("JPEG 2000", _CONVERT)),
    (b"8BPS", FileType("Photoshop", _CONVERT)),
    (b"%PDF", FileType("PDF", _CONVERT)),
    (b"PK\x03\x04", FileType("a zip archive", "unpack it", is_picture=False)),
    (b"\x1f\x8b", FileType("a gzip archive", "unpack it", is_picture=False)),
    (b"Rar!", FileType("a rar archive", "unpack it", is_picture=False)),
    (b"7z\xbc\xaf", FileType("a 7z archive", "unpack it", is_picture=False)),
    (
        b"version https://git-lfs",
        FileType("a pointer of Git LFS", "fetch the file itself with git lfs pull", is_picture=False),
    ),
)
_BY_BRAND = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), _HEIC),
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    **dict.fromkeys(
        (b"isom", b"mp41", b"mp42", b"qt  ", b"M4V "), FileType("a video", "take pictures from it", is_picture=False)
    ),
    b"crx ": FileType("Canon raw", _CONVERT),
}


def find_file_type(head: bytes) -> FileType | None:
    """Return the type of a file by its first `HEAD_BYTES` bytes; None for one that is not known."""
    for start, found in _BY_START:
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FileType("WebP")
    if head[4:8] == b"ftyp":
        return _BY_BRAND.get(head[8:12])
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return FileType("BMP")
    return _find_text_type(head)


def _find_text_type(head: bytes) -> FileType | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<svg"):
        return FileType("SVG", _CONVERT)
    if text.startswith((b"<!doctype html", b"<html")):
        return FileType("HTML", "a web page was saved in place of a picture; download it again", is_picture=False)
    if text.startswith(b"<?xml"):
        return FileType("XML or SVG", _CONVERT)
    is_text = bool(text) and all(byte >= 32 or byte in b"\t\r\n" for byte in text) and _is_utf8(text)
    return FileType("text", "no picture", is_picture=False) if is_text else None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(text) - 4  # cut inside a letter
    return True


def describe_type(head: bytes, path: str) -> str:
    """Return what a file that cannot be read is and what to do, or nothing where that is not known."""
    found = find_file_type(head)
    if found is None or not found.advice:
        return ""
    suffix = Path(path).suffix
    under = f", under {suffix}" if suffix and len(suffix) < 8 else ""
    return f"{found.name}{under}: {found.advice}"
