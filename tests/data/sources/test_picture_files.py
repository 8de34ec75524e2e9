import logging
import os
import unicodedata
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from data_pictures import MakeFolder, draw
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.data.table import ImageTable
from discern.errors import DataError

NFC, NFD = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))


@pytest.fixture
def images(make_folder: MakeFolder) -> Path:
    """images/red/1.png, images/red/2.png, images/blue/1.png"""
    return make_folder({"red": 2, "blue": 1}, name="images")


def load(names: list[str], root: Path) -> ImageTable:
    frame = pd.DataFrame({"image": names, "label": ["a", "b", "c", "d"][: len(names)]})
    return load_table(frame, ColumnSettings(image_root=root))


def relative(table: ImageTable, root: Path) -> list[str]:
    return [Path(path).relative_to(root).as_posix() for path in table.frame["path"]]


@pytest.mark.parametrize(
    "beginning",
    ["/kaggle/input/x/", "C:\\data\\x\\", "x/", "x\\", "file:///x/", "images/", "../input/x/", "\\\\server\\share\\"],
)
def test_names_that_were_written_on_another_machine(images: Path, beginning: str) -> None:
    names = [f"{beginning}red/1.png", f"{beginning}red/2.png", f"{beginning}blue/1.png"]
    for written in (names, [name.replace("/", "\\") for name in names]):
        table = load(written, images)
        assert table.frame["id"].tolist() == written
        assert relative(table, images) == ["red/1.png", "red/2.png", "blue/1.png"]


def test_home_and_file_addresses_are_understood(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(images.parent))
    for names in (["~/images/red/1.png"], [f"file://{images}/red/1.png"]):
        assert relative(load(names, images / "blue"), images) == ["red/1.png"]
    assert relative(load(["1.png"], Path("~/images/blue")), images) == ["blue/1.png"]


@pytest.mark.parametrize("start", ["https://x.y/d/", "s3://bucket/", "HTTP://x/", "https:/x.y/", "data:image/png,"])
def test_addresses_are_refused(images: Path, start: str) -> None:
    with pytest.raises(DataError, match=rf"1 of 2 names are addresses .*\n  {start}red/1.png\nDownload these"):
        load([f"{start}red/1.png", "red/2.png"], images)


def test_it_is_said_what_was_changed(images: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "discern")
    load(["/kaggle/input/x/red/1.png", "red\\2.png"], images)
    assert "the DataFrame: 1 names are written otherwise on the disk: 'red\\\\2.png'" in caplog.text
    assert f"1 names begin with /kaggle/input/x, which is not here; found below {images}" in caplog.text


def test_prediction_reads_such_names_too(images: Path, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("image\n/kaggle/input/x/red/1.png\nblue\\1.png\n")
    table = load_inputs(tmp_path / "test.csv", ColumnSettings(image_root=images))
    assert relative(table, images) == ["red/1.png", "blue/1.png"]


def test_two_foreign_names_of_one_file_are_refused(make_folder: MakeFolder) -> None:
    flat = make_folder({".": 1})
    with pytest.raises(DataError, match=r"the same file occurs more than once:\n  .*1.png: 2 times"):
        load(["/kaggle/red/1.png", "/kaggle/blue/1.png"], flat)


def test_a_missing_picture_is_not_taken_from_elsewhere(images: Path) -> None:
    draw(5).save(images / "9.png")
    table = load(["red/1.png", "red/9.png", f"{images}/red/8.png"], images)
    assert [Path(path).is_file() for path in table.frame["path"]] == [True, False, False]


@pytest.mark.parametrize(("written", "on_disk"), [(NFC, NFD), (NFD, NFC), ("RED", "red"), (NFC.upper(), NFD)])
def test_names_are_compared_without_unicode_form_and_case(tmp_path: Path, written: str, on_disk: str) -> None:
    (tmp_path / on_disk).mkdir()
    draw(1).save(tmp_path / on_disk / f"{on_disk}.png")
    for name in (f"{written}/{written}.PNG", f"{written}\\{written}", f"/kaggle/{written}/{written}.png"):
        assert load([name], tmp_path).frame["path"].tolist() == [str(tmp_path / on_disk / f"{on_disk}.png")]


def test_numbers_that_lost_the_zeros_before_them(tmp_path: Path) -> None:
    files = [tmp_path / "birds" / name for name in ("000.png", "007.png", "0123.png", "8.png", "0x9.png")]
    files[0].parent.mkdir()
    for seed, file in enumerate(files):
        draw(seed).save(file)
    found = load(["birds/0", "birds/7", "birds/123.png", "birds/8"], tmp_path)
    assert found.frame["path"].tolist() == list(map(str, files[:4]))
    # What has zeros itself has not lost them, and 9 is no end of 0x9.
    for name in ("birds/00123", "birds/08", "birds/9"):
        with pytest.raises(DataError, match="none of its 1 pictures is there"):
            load([name], tmp_path)
    draw(9).save(tmp_path / "birds" / "07.png")
    with pytest.raises(DataError, match=r"names that fit several files:\n  birds/7: 007\.png, 07\.png"):
        load(["birds/7"], tmp_path)


def test_two_files_that_differ_in_form_only_are_named_apart(tmp_path: Path) -> None:
    for place, name in enumerate((NFC, NFD)):
        draw(place).save(tmp_path / f"{name}.png")
    table = load([f"{NFD}.png", f"{NFC}.png"], tmp_path)
    assert table.frame["path"].tolist() == [str(tmp_path / f"{NFD}.png"), str(tmp_path / f"{NFC}.png")]
    with pytest.raises(
        DataError, match=r"names that fit several files:\n  CAFÉ.png: .*\n.* image_suffix; .* the one on the disk"
    ):
        load([f"{NFC.upper()}.png"], tmp_path)


@pytest.mark.parametrize("name", ["red/1.png", "/kaggle/input/x/red/1.png", "red\\1"])
def test_advice_where_nothing_is_found_works(images: Path, name: str) -> None:
    (images.parent / "labels.csv").write_text(f"image,label\n{name},a\n")
    with pytest.raises(DataError, match=r"none of its 1 pictures is there; .*: give image_root=") as error:
        load_table(images.parent / "labels.csv")
    for takes_settings, way in ((True, "data.image_root="), (False, "--image-root ")):
        advice = error.value.for_command_line(takes_settings=takes_settings).partition(f": give {way}")[2]
        table = load_table(images.parent / "labels.csv", ColumnSettings(image_root=advice.removesuffix(".")))
        assert relative(table, images) == ["red/1.png"]


def test_a_folder_is_listed_once_however_names_are_written(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, scan = Counter[str](), os.scandir

    def scandir(folder: str) -> object:
        listed[folder] += 1
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    load(["/a/b/red/1.png", "red\\2.png", "blue/1.png"], images)
    assert set(listed.values()) == {1}
