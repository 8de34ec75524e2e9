"""Files that are made to harm, or that are no pictures, and the message for each."""

import gzip
import io
import pickle
import struct
import zipfile
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from serving_files import draw, encode


class Hostile(NamedTuple):
    """A file, the status that it gets and a part of the reason."""

    content: bytes
    status: int
    reason: str


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int, *chunks: bytes, bits: int = 8, colour: int = 2) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


def _break_header(content: bytes) -> bytes:
    return content[:20] + bytes([content[20] ^ 255]) + content[21:]


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", encode(draw()))
    return buffer.getvalue()


def _floats() -> bytes:
    return encode(Image.fromarray(np.full((8, 8), np.nan, dtype=np.float32)), "TIFF")


def _tiff_of_itself() -> bytes:
    """Return a TIFF whose directory names itself as the next one, and has no picture."""
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0) + struct.pack("<I", 8)


PNG, JPEG = encode(draw()), encode(draw(), "JPEG")
UNSUPPORTED, DAMAGED, PIXELS = "not a picture of a supported type", "damaged", "is more than the limit of"

HOSTILE = {
    "empty": Hostile(b"", 400, "empty"),
    "one byte": Hostile(b"\xff", 415, UNSUPPORTED),
    "text as .jpg": Hostile(b"hello " * 100, 415, "but text, under .jpg: no picture"),
    "HTML": Hostile(b"<!doctype html><script>alert(1)</script>", 415, "HTML, under .jpg: a web page was saved"),
    "SVG that reads a file": Hostile(
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        415,
        "SVG, under .jpg: convert it to JPEG or PNG",
    ),
    "PDF": Hostile(b"%PDF-1.7\n1 0 obj\n", 415, "PDF, under .jpg: convert it to JPEG or PNG"),
    "video": Hostile(b"\0\0\0\x20ftypisom" + bytes(64), 415, "a video, under .jpg: take pictures from it"),
    "PostScript": Hostile(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n", 415, UNSUPPORTED),
    "ZIP": Hostile(_zip(), 415, "a zip archive, under .jpg: unpack it"),
    "gzip": Hostile(gzip.compress(PNG), 415, UNSUPPORTED),
    "pickle": Hostile(pickle.dumps({"a": 1}), 415, UNSUPPORTED),
    "icon": Hostile(encode(draw(), "ICO"), 415, UNSUPPORTED),
    "zeros": Hostile(bytes(10_000), 415, UNSUPPORTED),
    "half a JPEG": Hostile(JPEG[: len(JPEG) // 2], 422, DAMAGED),
    "half a PNG": Hostile(PNG[: len(PNG) // 2], 422, DAMAGED),
    "head of a JPEG": Hostile(b"\xff\xd8\xff\xe0", 415, UNSUPPORTED),
    "PNG without pixels": Hostile(_png(40, 40), 422, DAMAGED),
    "PNG of no size": Hostile(_png(0, 0), 415, UNSUPPORTED),
    "PNG with a flipped byte in its head": Hostile(_break_header(PNG), 415, UNSUPPORTED),
    "bomb: says 60000 x 60000": Hostile(_png(60_000, 60_000), 413, "pixels"),
    "bomb: says 2 billion a side": Hostile(_png(2**31 - 1, 2**31 - 1), 413, "pixels"),
    "bomb: 64 million pixels in 8 kB": Hostile(
        _png(8000, 8000, _chunk(b"IDAT", zlib.compress(bytes(8000 * 1001), 9)), bits=1, colour=0), 413, PIXELS
    ),
    "bomb: a text of 80 MB in 80 kB": Hostile(
        _png(40, 40, _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000), 9))), 422, DAMAGED
    ),
    "TIFF of not-a-number": Hostile(_floats(), 422, "32-bit float values from nan"),
    "TIFF of itself": Hostile(_tiff_of_itself(), 415, UNSUPPORTED),
}
