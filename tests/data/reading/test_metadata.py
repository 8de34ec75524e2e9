"""Metadata never decides about pixels, and no limit of Pillow overrules ours."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from data_pictures import draw
from discern.data.reading.decode import decode_image, read_header
from discern.data.reading.png_metadata import leave_out_metadata
from discern.errors import BadImageError

PICTURE = draw(3)
ZEROS = b"\0" * 3_000_000


def encode(**options: object) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG", **options)
    return buffer.getvalue()


def add_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG with chunks before its pixels and, once more, behind them."""
    made = b"".join(
        struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks
    )
    content = encode()
    return content[:33] + made + content[33:-12] + made + content[-12:]


@pytest.mark.parametrize(
    "content",
    [
        add_chunks((b"zTXt", b"note\0\0" + zlib.compress(ZEROS))),
        add_chunks((b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(ZEROS))),
        add_chunks((b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(ZEROS))),
        add_chunks((b"iCCP", b"profile\0\0" + zlib.compress(ZEROS))),
        add_chunks((b"eXIf", b"II*\0\x08\0\0\0" + ZEROS)),
        add_chunks(*[(b"tEXt", b"note\0" + b"x" * 900_000)] * 80),
    ],
    ids=["text", "xmp", "exif as text", "profile", "exif", "many texts"],
)
def test_large_metadata_of_png_is_skipped(content: bytes) -> None:
    assert np.array_equal(decode_image(content), PICTURE)
    assert read_header(io.BytesIO(content))[2:] == PICTURE.size


def test_orientation_in_small_texts_of_png_is_kept() -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    raw = b"\nexif\n%8d\n" % len(exif.tobytes()) + exif.tobytes().hex().encode()
    content = add_chunks((b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)), (b"tEXt", b"note\0x"))
    assert np.array_equal(decode_image(content), PICTURE.transpose(Image.Transpose.ROTATE_270))


def test_what_has_no_metadata_or_is_broken_is_left_as_it_is() -> None:
    for content in (encode(), b"", b"\xff\xd8", encode()[:40], b"\x89PNG\r\n\x1a\n\0\0"):
        assert leave_out_metadata(content) == content


def test_only_our_limit_of_pixels_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    PICTURE.save(tmp_path / "a.png")
    PICTURE.save(tmp_path / "a.jpg")
    for name in ("a.png", "a.jpg"):
        assert decode_image(tmp_path / name).size == PICTURE.size
        assert read_header(tmp_path / name)[2:] == PICTURE.size
        with pytest.raises(BadImageError, match=r"24 x 20 is more than the limit of 479 pixels \(data.max_pixels\)"):
            decode_image(tmp_path / name, max_pixels=479)
    assert Image.MAX_IMAGE_PIXELS == 10
