"""Tar shards: what they mean, and that their pictures are read as files are."""

import gzip
import json
import tarfile

import numpy as np
import pytest

from discern.data.duplicates.fingerprints import compute_fingerprints
from discern.data.reading.decode import decode_image, is_decoded_reduced, read_header
from discern.data.sources import shard_index
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.data.sources.shards import find_shards
from discern.data.stored_pictures import find_member, stat_picture
from discern.errors import BadImageError, DataError
from shards import write_shard, write_shards


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "shards"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a-{000..002}.tar", ["a-000.tar", "a-001.tar", "a-002.tar"]),
        ("a-{8..11}.tar", ["a-8.tar", "a-9.tar", "a-10.tar", "a-11.tar"]),
        ("a-{08..10}.tar", ["a-08.tar", "a-09.tar", "a-10.tar"]),
        ("a-{2..0}.tar", ["a-2.tar", "a-1.tar", "a-0.tar"]),
        ("{train,val}-{0..1}.tar", ["train-0.tar", "train-1.tar", "val-0.tar", "val-1.tar"]),
        ("s3://bucket/a-{0..1}.tar", ["s3://bucket/a-0.tar", "s3://bucket/a-1.tar"]),
        ("photos/", None),
        ("photos-{0..1}.csv", None),
        ("nowhere.tar", None),
    ],
)
def test_braces_mean_what_they_mean_in_a_shell(pattern, expected):
    assert find_shards(pattern) == expected


@pytest.mark.parametrize("kind", ["cls", "txt", "json"])
def test_pictures_and_labels_are_those_of_the_folder(photos, folder, kind):
    classes = write_shards(photos, folder, per_shard=10, kind=kind)
    if kind == "cls":
        (folder / "classes.json").write_text(json.dumps(classes))
    table, plain = load_table(str(folder / "train-{000..003}.tar")), load_table(photos)
    assert table.class_names == plain.class_names
    assert table.frame["label"].value_counts().to_dict() == plain.frame["label"].value_counts().to_dict()
    assert table.frame["id"][0] == "train-000/000000.png"
    assert table.frame["id"].is_unique
    sizes = sorted(stat_picture(path).size_bytes for path in table.frame["path"])
    assert sizes == sorted(path.stat().st_size for path in photos.rglob("*.png"))
    contents, plain_contents = (np.sort(compute_fingerprints(one).records["content"]) for one in (table, plain))
    assert contents.tolist() == plain_contents.tolist()


def test_a_picture_in_a_shard_is_decoded_as_its_file_is(shared_data, folder):
    photo = next((shared_data / "large_photos").rglob("*.jpg"))
    name = "long/" * 30 + "photo.jpg"  # longer than the name in the old form of a header
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        write_shard(folder / "a.tar", [(name, photo.read_bytes()), ("b.jpg", photo.read_bytes())], form=form)
        write_shard(folder / "b.tar", [("./c.jpg", photo.read_bytes())], form=form)
        paths = load_inputs(str(folder / "{a,b}.tar")).frame["path"].tolist()
        assert len(paths) == 3
        for path in paths:
            assert read_header(path) == read_header(photo)
            assert is_decoded_reduced(path, lambda _width, _height: (224, 224))
            small, plain = (decode_image(one, covering=lambda _width, _height: (224, 224)) for one in (path, photo))
            assert small.tobytes() == plain.tobytes()


def test_splits_are_those_in_the_names_of_shards(photos, folder):
    write_shards(photos, folder, per_shard=12, kind="txt")
    (folder / "train-002.tar").rename(folder / "val-000.tar")
    table = load_table(str(folder / "*-*.tar"))
    assert table.frame["split"].value_counts().to_dict() == {"train": 24, "validation": 12}
    assert load_table(str(folder / "train-{000..001}.tar")).frame["split"].isna().all()


def test_all_missing_shards_are_named_at_once(photos, folder):
    write_shards(photos, folder, per_shard=10)
    with pytest.raises(DataError, match=r"(?s)2 of 6 shards cannot be found:\n.*train-004.tar\n.*train-005.tar\nCopy"):
        load_table(str(folder / "train-{000..005}.tar"))


def test_a_shard_is_listed_once_and_again_when_it_has_changed(photos, folder, monkeypatch):
    write_shards(photos, folder, per_shard=18, kind="txt")
    pattern, read = str(folder / "train-{000..001}.tar"), []
    monkeypatch.setattr(shard_index, "_read", lambda shard, whole=shard_index._read: read.append(shard) or whole(shard))
    first = load_table(pattern)
    assert len(read) == 2
    assert load_table(pattern).frame.equals(first.frame)
    assert len(read) == 2
    write_shard(folder / "train-001.tar", [("9.png", next(photos.rglob("*.png")).read_bytes()), ("9.txt", b"red")])
    assert len(load_table(pattern)) == 19
    assert len(read) == 3


def test_a_shard_that_changes_after_it_was_listed_is_never_misread(photos, folder):
    write_shards(photos, folder, per_shard=18, kind="txt")
    table = load_table(str(folder / "train-{000..001}.tar"))
    path = table.frame["path"][5]
    decode_image(path)
    picture = next(photos.rglob("*.png")).read_bytes()
    for files in ([("x.png", b"1" * 700), ("000005.png", picture)], [("000005.png", picture)], []):
        write_shard(folder / "train-000.tar", files)
        with pytest.raises(BadImageError, match=r"train-000.tar has changed since its pictures were listed; run the"):
            decode_image(path)
    (folder / "train-000.tar").unlink()
    with pytest.raises(BadImageError, match="no such file"):
        decode_image(path)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (
            [("1.png", b"p"), ("2.png", b"p"), ("2.cls", b"0")],
            {},
            r"1 of 2 pictures have no label:\n  a/1.png\n.* is cls. Say what",
        ),
        ([("1.png", b"p")], {}, r"1 of 1 pictures have no label:.*\n.*\n?Expected a file .cls, .json or .txt"),
        (
            [("1.png", b"p"), ("1.json", b'{"kind": "a"}')],
            {},
            r"no label:\n.*\n.*is kind. Say what holds the class: label_column=.NAME.\.$",
        ),
        ([("1.png", b"p"), ("1.json", b"{")], {}, "no label"),
        (
            [("1.png", b"p"), ("1.cls", b"0"), ("2.png", b"p"), ("2.txt", b"a")],
            {},
            r"labels are in cls, txt. Say which to use: label_column=.NAME.\.$",
        ),
        (
            [("1.png", b"p"), ("1.json", b'{"kind": "a"}')],
            {"label_column": "sort"},
            r"'sort' is not in all of them; kind",
        ),
        ([("1.cls", b"0")], {}, "no pictures in 1 shard"),
    ],
)
def test_what_is_missing_in_shards_is_said(folder, files, options, message):
    write_shard(folder / "a.tar", files)
    with pytest.raises(DataError, match=message):
        load_table(str(folder / "{a}.tar"), ColumnSettings(**options))


def test_the_key_of_a_label_in_json_can_be_chosen(folder):
    files = [("1.png", b"p"), ("1.json", b'{"label": "x", "species": "crow", "count": 3}')]
    write_shard(folder / "a.tar", [*files, ("2.png", b"p"), ("2.json", b'{"species": "rook", "boxes": [1]}')])
    table = load_table(str(folder / "{a}.tar"), ColumnSettings(label_column="species"))
    assert table.class_names == ("crow", "rook")


def test_numbers_are_classes_by_their_place(folder):
    write_shard(folder / "a.tar", [("1.png", b"p"), ("1.cls", b"1"), ("2.png", b"p"), ("2.cls", b"0\n")])
    pattern = str(folder / "{a}.tar")
    assert load_table(pattern).frame["label"].tolist() == ["1", "0"]
    for name, text in (
        ("classes.txt", "rook\ncrow\n"),
        ("classes.json", '["rook", "crow"]'),
        ("classes.json", '{"rook": 0, "crow": 1}'),
        ("classes.json", '{"0": "rook", "1": "crow"}'),
    ):
        (folder / name).write_text(text)
        assert load_table(pattern).frame["label"].tolist() == ["crow", "rook"]
    (folder / "classes.json").write_text('["rook"]')
    with pytest.raises(
        DataError, match="labels that are no place among the 1 classes of the file beside the shards: 1"
    ):
        load_table(pattern)
    (folder / "classes.json").write_text("rook")
    with pytest.raises(DataError, match=r"classes.json is not understood; expected a list of class names"):
        load_table(pattern)


def test_a_compressed_or_damaged_shard_says_what_to_do(photos, folder):
    write_shards(photos, folder, per_shard=36, kind="txt")
    shard = folder / "train-000.tar"
    content = shard.read_bytes()
    for damaged in (gzip.compress(content), content[:700], b"no tar"):
        shard.write_bytes(damaged)
        with pytest.raises(
            DataError, match=r"train-000.tar cannot be read as a tar file.* compressed one has to be dec"
        ):
            load_table(str(folder / "train-{000..000}.tar"))


def test_shards_are_read_from_addresses_too(photos, folder):
    import fsspec

    files = fsspec.filesystem("memory")
    write_shards(photos, folder, per_shard=12, kind="txt")
    for shard in folder.glob("*.tar"):
        files.pipe_file(f"/{shard.name}", shard.read_bytes())
    table, plain = (load_table(f"{start}/train-{{000..002}}.tar") for start in ("memory://", str(folder)))
    assert table.frame["id"].tolist() == plain.frame["id"].tolist()
    assert table.fingerprint() == plain.fingerprint()
    for path, plain_path in list(zip(table.frame["path"], plain.frame["path"], strict=True))[::7]:
        assert find_member(path).tar.startswith("memory://")
        assert decode_image(path).tobytes() == decode_image(plain_path).tobytes()
    with pytest.raises(DataError, match=r"1 of 1 shard cannot be found:\n  memory://none.tar"):
        load_table("memory://none.tar")
    with pytest.raises(DataError, match=r"nosuch://a.tar cannot be read: Protocol not known: nosuch"):
        load_table("nosuch://a.tar")
