"""Leaves out of PNG files what is no picture, so that no limit of Pillow on texts and profiles refuses the pixels."""

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PROFILE = b"iCCP"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_KEPT_TEXTS = (b"Raw profile type exif", b"Raw profile type APP1", b"XML:com.adobe.xmp")
"""Those that may say how a photo is turned."""

_MAX_TEXT_BYTES = 256 * 1024
_MAX_ALL_TEXTS_BYTES = 4 * _MAX_TEXT_BYTES


def leave_out_metadata(content: bytes) -> bytes:
    """Return the bytes of a PNG file without colour profile and texts; those of another file as they are.

    Small texts that may hold the orientation stay. Nothing is decompressed beyond 256 KB.
    """
    if not content.startswith(_SIGNATURE):
        return content
    kept = [_SIGNATURE]
    left_bytes = _MAX_ALL_TEXTS_BYTES
    is_changed = False
    for kind, start, end in _list_chunks(content):
        if kind == _PROFILE or kind in _TEXTS:
            if kind == _PROFILE or end - start > left_bytes or not _is_wanted(kind, content[start + 8 : end - 4]):
                is_changed = True
                continue
            left_bytes -= end - start
        kept.append(content[start:end])
    return b"".join(kept) if is_changed else content


def _list_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each chunk, and where it starts and ends; what follows a broken one counts as one more."""
    start = len(_SIGNATURE)
    while start + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, start)
        end = min(start + 12 + length, len(content))
        yield content[start + 4 : start + 8], start, end
        start = end
    if start < len(content):
        yield b"", start, len(content)


def _is_wanted(kind: bytes, text: bytes) -> bool:
    keyword, _, rest = text[:_MAX_TEXT_BYTES].partition(b"\0")
    if keyword not in _KEPT_TEXTS or len(text) > _MAX_TEXT_BYTES:
        return False
    if kind == b"iTXt":
        is_compressed, rest = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    else:
        is_compressed, rest = kind == b"zTXt", rest[1:]
    return not is_compressed or _is_small(rest)


def _is_small(compressed: bytes) -> bool:
    unpacked = zlib.decompressobj()
    try:
        unpacked.decompress(compressed, _MAX_TEXT_BYTES)
    except zlib.error:
        return False
    return not unpacked.unconsumed_tail
