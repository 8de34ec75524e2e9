"""The first bytes of a file tell what it is, whatever its name says."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from data_pictures import MakeFolder, draw
from discern.data.reading.decode import decode_image, read_header
from discern.data.reading.file_types import HEAD_BYTES, find_file_type
from discern.data.sources.load import load_inputs, load_table
from discern.errors import BadImageError

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 40


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEIC, r"but HEIC, under .jpg: to read it: pip install 'discern-vision\[heif\]'"),
        (b'<?xml version="1.0"?><svg/>', "but XML or SVG, under .jpg: convert it"),
        (b'\n <svg xmlns="x"></svg>', "but SVG, under .jpg: convert it to JPEG or PNG"),
        (b"<!DOCTYPE html><html>", "but HTML, under .jpg: a web page was saved in place of a picture"),
        (b"%PDF-1.7\n", "but PDF, under .jpg: convert it"),
        # Both hold the time, which must not be in the name of a test: worker processes collect at other moments.
        pytest.param(zip_bytes(), "but a zip archive, under .jpg: unpack it", id="zip"),
        pytest.param(gzip.compress(b"x"), "but a gzip archive, under .jpg", id="gzip"),
        ("grüße aus dem Wald, ganz lang geschrieben".encode(), "but text, under .jpg: no picture"),
        (b"version https://git-lfs.github.com/spec/v1\n", "but a pointer of Git LFS, under .jpg: fetch"),
        (b"\x01\x02\x03nothing", r"not a picture of a supported type \(JPEG, PNG"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    for read in (decode_image, read_header):
        with pytest.raises(BadImageError, match=said):
            read(file)
    with pytest.raises(BadImageError, match=said.replace(", under .jpg", "")):
        decode_image(content)
    with pytest.raises(BadImageError, match=said.replace(", under .jpg", "")):
        read_header(io.BytesIO(content))


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF"])
def test_pictures_under_other_names_are_read(tmp_path: Path, format_name: str) -> None:
    for name in ("a.png", "b.jpg", "c", "d.dat"):
        draw(1).save(tmp_path / name, format_name)
        assert decode_image(tmp_path / name).size == draw(1).size
        assert read_header(tmp_path / name).format == format_name
    found = find_file_type((tmp_path / "c").read_bytes()[:HEAD_BYTES])
    assert found is not None
    assert found.name.upper() == format_name


def test_pictures_without_extension_are_used_and_others_named(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 1, "bees": 1})
    draw(7).save(root / "ants" / "0007", "JPEG")
    draw(8).save(root / "ants" / "8.jpg~", "JPEG")
    (root / "ants" / "README").write_text("notes")
    (root / "bees" / "phone").write_bytes(HEIC)
    (root / "bees" / "phone.heic").write_bytes(HEIC)
    expected = {
        "ants/8.jpg~: JPEG under .jpg~: give it an extension of pictures to use it",
        "ants/README: no extension is no supported type of picture",
        "bees/phone: HEIC: to read it: pip install 'discern-vision[heif]'",
        "bees/phone.heic: HEIC under .heic: to read it: pip install 'discern-vision[heif]'",
    }
    for table in (load_table(root), load_inputs([root])):
        assert sorted(table.frame["id"]) == ["ants/0007", "ants/1.png", "bees/1.png"]
        assert set(table.ignored) == expected
    found = load_inputs([str(root / "*" / "*")])
    assert len(found) == 3
    assert len(found.ignored) == 4


def test_a_table_may_name_pictures_by_any_name(make_folder: MakeFolder) -> None:
    root = make_folder({".": 1})
    draw(7).save(root / "scan.dat", "JPEG")
    (root / "list.csv").write_text("image,label\n1.png,a\nscan.dat,b\n")
    table = load_table(root / "list.csv")
    assert [decode_image(path).size for path in table.frame["path"]] == [(24, 20)] * 2
    assert isinstance(decode_image(table.frame["path"].iloc[1]), Image.Image)
