"""Which files are opened at all."""

import pytest

from discern.data.reading.decode import decode_image
from discern.data.reading.file_content import INSIDE_VARIABLE, read_head
from discern.errors import BadImageError


def test_nothing_outside_of_a_named_folder_is_opened(photos, tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    own, linked = inside / "own.png", inside / "linked.png"
    own.write_bytes((photos / "red" / "0.png").read_bytes())
    linked.symlink_to(photos / "red" / "0.png")
    monkeypatch.setenv(INSIDE_VARIABLE, str(inside))
    assert decode_image(own).size == (40, 40)
    for path in (
        photos / "red" / "0.png",
        linked,
        inside / ".." / "inside-too" / "1.png",
        "s3://bucket/a.tar@0+9/1.png",
    ):
        with pytest.raises(BadImageError, match=f"it lies outside of {inside}"):
            decode_image(path)
        assert read_head(path) == b""
    monkeypatch.delenv(INSIDE_VARIABLE)
    assert decode_image(linked).size == (40, 40)
