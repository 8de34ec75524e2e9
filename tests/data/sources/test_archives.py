"""Archives: what they unpack to, what is refused, and what is left where unpacking ends early."""

import io
import logging
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data_pictures import MakeFolder, draw
from discern.data.moved import find_pictures
from discern.data.sources import archives, unpacked
from discern.data.sources.archives import ARCHIVE_SUFFIXES
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError, WriteError

TAR_MODES = {".tar": "w", ".tar.gz": "w:gz", ".tgz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def pack(folder: Path, name: str, *, inside: str = "") -> Path:
    """Pack the files of a folder, within another one if that is given."""
    archive = folder.parent / name
    files = [(file, f"{inside}{file.relative_to(folder).as_posix()}") for file in sorted(folder.rglob("*"))]
    if name.endswith(".zip"):
        with zipfile.ZipFile(archive, "w") as opened:
            for file, place in files:
                opened.write(file, place)
    else:
        with tarfile.open(archive, TAR_MODES[name.removeprefix("birds")]) as packed:
            for file, place in files:
                packed.add(file, place, recursive=False)
    return archive


def read_rows(source: Path) -> dict[str, tuple[str, str | None]]:
    frame = load_table(source).frame
    rows = zip(
        frame["id"], frame["label"], frame["split"].astype(object).where(frame["split"].notna(), None), strict=True
    )
    return {name: (label, split) for name, label, split in rows}


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_an_archive_is_read_under_each_of_its_names(make_folder: MakeFolder) -> None:
    archive = pack(make_folder({"red": 1, "blue": 1}), "birds.zip")
    newest = archive.with_name("newest.zip")
    newest.symlink_to(archive)
    assert read_rows(archive) == read_rows(newest)


@pytest.mark.parametrize("load", [load_table, load_inputs])
def test_errors_name_an_archive_as_it_was_given(load: Callable[[Path], object], make_folder: MakeFolder) -> None:
    folder = make_folder({"images/deep": 2})
    (folder / "labels.csv").write_text("id,label\n1,a\n2,b\n")
    archive = pack(folder, "birds.zip")
    with pytest.raises(DataError, match="none of its 2 pictures is there") as error:
        load(archive / "labels.csv")
    for text in (str(error.value), error.value.for_command_line()):
        assert text.startswith(f"{archive}/labels.csv: ")
        assert f"{archive}/images/deep" in text
        assert "unpacked" not in text
    columns = ColumnSettings(image_root=f"{archive}/images/deep")
    assert len(load_table(archive / "labels.csv", columns)) == 2


@pytest.mark.parametrize("load", [load_table, load_inputs])
def test_the_log_names_an_archive_as_it_was_given(
    load: Callable[[Path], object], make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_folder({"red": 2, "blue": 1})
    (folder / "labels.csv").write_text("image,label\nRED/1.png,a\nRED/2.png,a\nblue/1.png,b\n")
    archive = pack(folder, "birds.zip")
    caplog.set_level("INFO")
    load(archive / "labels.csv")
    caplog.clear()  # that it is unpacked, and where
    load(archive / "labels.csv")
    example = f"'RED/1.png' ({archive}/red/1.png) and 1 more"
    assert caplog.messages == [f"{archive}/labels.csv: 2 names are written otherwise on the disk: {example}"]
    logging.getLogger("discern").info("elsewhere %s", Path("unpacked"))
    assert caplog.messages[1:] == ["elsewhere unpacked"]


def test_an_archive_that_holds_the_pictures_of_a_table_is_named_as_it_was_given(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_folder({"images/red": 2})
    archive, table = pack(folder, "birds.zip"), folder.parent / "labels.csv"
    table.write_text("image,label\nRED/1.png,a\nred/2.png,b\n")
    caplog.set_level("INFO")
    load_table(table, ColumnSettings(image_root=archive / "images"))
    assert f"'RED/1.png' ({archive}/images/red/1.png)" in caplog.text
    with pytest.raises(DataError, match="none of its 2 pictures is there") as error:
        load_table(table, ColumnSettings(image_root=archive))
    assert f"looked for at {archive}/RED/1.png." in str(error.value)
    assert f'image_root="{archive}/images' in str(error.value)
    assert "unpacked" not in str(error.value)


def test_an_archive_in_an_archive_is_a_place_in_it(make_folder: MakeFolder) -> None:
    inner = pack(make_folder({"red": 2, "blue": 1}), "birds.tar.gz")
    outer = inner.with_name("all.zip")
    with zipfile.ZipFile(outer, "w") as opened:
        opened.write(inner, "data/birds.tar.gz")
    assert read_rows(outer / "data" / "birds.tar.gz") == read_rows(inner)
    with pytest.raises(DataError, match=r"Not used:\n  data/birds\.tar\.gz: .*unpack it, or give it alone"):
        load_table(outer)


@pytest.mark.parametrize("suffix", [".zip", *TAR_MODES])
def test_an_archive_is_read_as_its_folder_is(suffix: str, make_folder: MakeFolder) -> None:
    folder = make_folder({"train/red": 2, "train/blue": 2, "val/red": 1, "val/blue": 1})
    table = load_table(pack(folder, f"birds{suffix}"))
    assert table.source.endswith(f"birds{suffix}")
    assert read_rows(folder.parent / f"birds{suffix}") == read_rows(folder)
    for name, path in zip(table.frame["id"], table.frame["path"], strict=True):
        assert path.endswith(f"/birds{suffix}/{name}")
        assert Path(path).read_bytes() == (folder / name).read_bytes()
    assert len(load_inputs(folder.parent / f"birds{suffix}")) == 6


def test_a_folder_around_all_and_what_a_mac_leaves(make_folder: MakeFolder) -> None:
    folder = make_folder({"birds/red": 2, "birds/blue": 1, "__MACOSX/birds/red": 1})
    for name in ("birds/.DS_Store", "birds/red/._1.png", "__MACOSX/birds/red/._2.png"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    table = load_table(pack(folder, "birds.zip"))
    assert set(table.frame["id"]) == {"birds/red/1.png", "birds/red/2.png", "birds/blue/1.png"}
    assert table.ignored == ()


def test_names_as_other_programs_write_them(tmp_path: Path) -> None:
    archive = tmp_path / "birds.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name in ("red\\cafXX.png", "red\\bYb.png", "blue/1.png"):
            opened.writestr(name, b"x")
    data = archive.read_bytes().replace(b"cafXX", "café".encode())
    archive.write_bytes(data.replace(b"bYb", b"b\x82b"))  # as DOS writes it
    assert set(load_inputs(archive).frame["id"]) == {"red/café.png", "red/béb.png", "blue/1.png"}


def test_a_table_in_an_archive(make_folder: MakeFolder) -> None:
    folder = make_folder({"images": 2})
    (folder / "labels.csv").write_text("image,label\nimages/1.png,red\nimages/2.png,blue\n")
    (folder / "README.txt").write_text("Pictures of birds")
    archive = pack(folder, "birds.zip", inside="all/")
    assert read_rows(archive) == {"images/1.png": ("red", None), "images/2.png": ("blue", None)}
    assert read_rows(archive / "all" / "labels.csv") == read_rows(archive)
    assert list(load_inputs(archive / "all" / "images" / "2.png").frame["id"]) == ["2.png"]
    with pytest.raises(DataError, match=r"birds.zip holds no such file or folder; at its top are all\.$"):
        load_table(archive / "lables.csv")


def test_several_tables_are_named(make_folder: MakeFolder) -> None:
    folder = make_folder({"images": 2})
    for name in ("test.csv", "train.csv"):
        (folder / name).write_text("image,label\nimages/1.png,red\nimages/2.png,blue\n")
    archive = pack(folder, "birds.zip")
    with pytest.raises(DataError, match=r"several tables. Give the one with the labels: \S*birds\.zip/test\.csv, "):
        load_table(archive)
    assert len(load_table(archive / "train.csv")) == 2


def test_a_table_with_its_pictures_in_an_archive(make_folder: MakeFolder) -> None:
    folder = make_folder({"red": 1, "blue": 1})
    archive = pack(folder, "birds.zip")
    labels = folder.parent / "labels.csv"
    labels.write_text("image,label\nred/1.png,a\nblue/1.png,b\n")
    table = load_table(labels, ColumnSettings(image_root=archive))
    assert [Path(path).is_file() for path in table.frame["path"]] == [True, True]


def test_it_is_unpacked_once_and_anew_when_it_changes(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder({"red": 1, "blue": 1})
    archive = pack(folder, "birds.zip")
    first = load_table(archive).frame["path"]
    with monkeypatch.context() as patch:
        patch.setattr(archives, "_unpack", None)
        assert load_table(archive).frame["path"].equals(first)
    draw(7).save(folder / "red" / "2.png")
    pack(folder, "birds.zip")
    assert len(load_table(archive)) == 3


def test_pictures_of_a_run_are_found_in_an_archive_that_was_moved(make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder({"red": 1, "blue": 1})
    archive = pack(folder, "birds.zip")
    gone = [str(tmp_path / "gone" / "red" / "1.png")]
    (found,) = find_pictures(gone, tmp_path / "gone", archive)
    assert found.endswith("birds.zip/red/1.png")
    assert Path(found).is_file()


def write_tar(path: Path, *infos: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as opened:
        for info in infos:
            opened.addfile(info, io.BytesIO(b"x" * info.size))
    return path


def make_info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, int(kind == tarfile.REGTYPE)
    return info


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (make_info("../../evil.png"), "leads out of the folder"),
        (make_info("/etc/evil.png"), "leads out of the folder"),
        (make_info("C:/evil.png"), "leads out of the folder"),
        (make_info("red/link.png", tarfile.SYMTYPE, "/etc/passwd"), "is a link or a device"),
        (make_info("red/hard.png", tarfile.LNKTYPE, "red/1.png"), "is a link or a device"),
        (make_info("red/device", tarfile.CHRTYPE), "is a link or a device"),
        (make_info("red/pipe", tarfile.FIFOTYPE), "is a link or a device"),
    ],
)
def test_what_could_do_harm_is_refused(info: tarfile.TarInfo, reason: str, tmp_path: Path, home: Path) -> None:
    archive = write_tar(tmp_path / "birds.tar", make_info("red/1.png"), info)
    with pytest.raises(DataError, match=f"1 entry cannot be unpacked safely:\n  {info.name}: {reason}\nUnpack it"):
        load_table(archive)
    assert list((home / "unpacked").iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.png", "..\\evil.png", "/evil.png", "c:\\evil.png"])
def test_a_zip_that_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "birds.zip", "w") as opened:
        opened.writestr(name, b"x")
    with pytest.raises(DataError, match=r"evil\.png: leads out of the folder"):
        load_inputs(tmp_path / "birds.zip")


def test_links_and_encrypted_files_of_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "birds.zip", "w") as opened:
        link = zipfile.ZipInfo("link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        opened.writestr(link, "/etc/passwd")
        opened.writestr("secret.png", b"x")
    data = (tmp_path / "birds.zip").read_bytes()
    start = data.rindex(b"PK\1\2")  # the last entry of the directory: its flags are at 8
    flagged = data[: start + 8] + b"\1\0" + data[start + 10 :]
    (tmp_path / "birds.zip").write_bytes(flagged)
    with pytest.raises(DataError, match=r"2 entries .*:\n  link.png: is a link or .*\n  secret.png: is encrypted"):
        load_table(tmp_path / "birds.zip")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(archives, "_MIN_SUSPECT_BYTES", 2**20)
    for name, mode in (("bomb.tar.gz", "w:gz"), ("bomb.zip", None)):
        if mode is None:
            with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as opened:
                opened.writestr("red/1.png", bytes(2**22))
        else:
            info = tarfile.TarInfo("red/1.png")
            info.size = 2**22
            with tarfile.open(tmp_path / name, "w:gz") as packed:
                packed.addfile(info, io.BytesIO(bytes(2**22)))
        with pytest.raises(DataError, match=r"would unpack to more than 100 times its 4\.\d KiB, as archives do that"):
            load_table(tmp_path / name)
    assert list((home / "unpacked").iterdir()) == []


def test_a_full_disk_is_said_beforehand(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = pack(make_folder({"red": 1, "blue": 1}), "birds.zip")
    monkeypatch.setattr(unpacked, "compute_free_bytes", lambda folder: 2**30)
    with pytest.raises(WriteError, match=r"unpacked/\.\.\. cannot be written: the disk is full; it needs 1\.0 GiB"):
        load_table(archive)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_an_archive_that_is_not_complete(suffix: str, make_folder: MakeFolder, home: Path) -> None:
    archive = pack(make_folder({"red": 3, "blue": 3}), f"birds{suffix}")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cannot be unpacked: .* It may not be complete: download or pack it again"):
        load_table(archive)
    assert list((home / "unpacked").iterdir()) == []


def test_no_archive_under_the_name_of_one(tmp_path: Path) -> None:
    for suffix in (".zip", ".tgz"):
        (tmp_path / f"birds{suffix}").write_bytes(b"no archive")
        with pytest.raises(DataError, match=f"birds{suffix}: cannot be unpacked"):
            load_table(tmp_path / f"birds{suffix}")


def fail_after(calls: int) -> Callable[..., None]:
    done = []

    def copy(packed: object, file: object, length: int) -> None:
        done.append(1)
        if len(done) > calls:
            raise KeyboardInterrupt

    return copy


def test_an_interruption_leaves_nothing(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    archive = pack(make_folder({"red": 2, "blue": 2}), "birds.zip")
    with monkeypatch.context() as patch:
        patch.setattr(archives.shutil, "copyfileobj", fail_after(2))
        with pytest.raises(KeyboardInterrupt):
            load_table(archive)
    assert list((home / "unpacked").iterdir()) == []
    assert len(load_table(archive)) == 4


def test_another_process_may_be_faster(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    archive = pack(make_folder({"red": 2, "blue": 2}), "birds.zip")
    unpack = archives._unpack

    def unpack_twice(archive: Path, folder: Path) -> None:
        unpack(archive, folder)
        other = home / "unpacked" / unpacked._make_key(archive.name, [archive])
        if not other.exists():
            other.mkdir()
            unpack(archive, other / "birds.zip")

    monkeypatch.setattr(archives, "_unpack", unpack_twice)
    assert len(load_table(archive)) == 4
    assert len(list((home / "unpacked").iterdir())) == 1


def test_zstandard(make_folder: MakeFolder) -> None:
    assert ".tar.zst" in ARCHIVE_SUFFIXES
    pyarrow = pytest.importorskip("pyarrow")
    folder = make_folder({"red": 1, "blue": 1})
    packed = pack(folder, "birds.tar").read_bytes()
    with pyarrow.output_stream(str(folder.parent / "birds.tar.zst"), compression="zstd") as stream:
        stream.write(packed)
    assert read_rows(folder.parent / "birds.tar.zst") == read_rows(folder)
