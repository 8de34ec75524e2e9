"""Parquet and Arrow files, and folders that Hugging Face datasets saved."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from data_pictures import MakeFolder, draw
from discern.auditing.unlisted_files import find_unlisted_files
from discern.data.moved import find_pictures
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))


def encode(seed: int, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    draw(seed).save(content, kind)
    return content.getvalue()


def write_parquet(file: Path, columns: Mapping[str, Sequence[object]], features: object = None) -> Path:
    table = pa.table(dict(columns))
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


FEATURES = {"label": {"names": ["red", "blue"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}


def test_pictures_in_the_cells_with_names_of_classes(tmp_path: Path) -> None:
    contents = [encode(1), encode(2, "JPEG"), encode(3)]
    cells = [{"bytes": content, "path": f"{place}.png"} for place, content in enumerate(contents)]
    columns = {"label": [1, 0, -1], "image": cells, "boxes": [[1], [2], [3]], "photographer": ["a", "b", "b"]}
    file = write_parquet(tmp_path / "birds.parquet", columns, FEATURES)
    table = load_table(file, ColumnSettings(group_column="photographer"))
    assert table.source == str(file)
    assert table.frame["id"].tolist() == ["0.png", "1.jpg", "2.png"]
    assert table.frame["label"].fillna("").tolist() == ["blue", "red", ""]
    assert table.frame["group"].tolist() == ["a", "b", "b"]
    assert [Path(path).read_bytes() for path in table.frame["path"]] == contents
    assert len(load_inputs(file)) == 3
    assert find_unlisted_files(file, table, None) == []


def test_plain_bytes_under_any_name(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "birds.parquet", {"raw": [encode(1), encode(2)], "label": ["a", "b"]})
    assert load_table(file).frame["id"].tolist() == ["0.png", "1.png"]


def test_several_columns_of_pictures(tmp_path: Path) -> None:
    columns = {"image": [encode(1)], "../mask": [encode(2)], "label": ["a"]}
    file = write_parquet(tmp_path / "birds.parquet", columns)
    (path,) = load_table(file).frame["path"]
    assert path.endswith("birds.parquet/0-image/0.png")
    (mask,) = load_table(file, ColumnSettings(image_column="../mask")).frame["path"]
    assert mask.endswith("birds.parquet/1-___mask/0.png")


@pytest.mark.parametrize("form", ["data/{}-00000-of-00001.parquet", "default/{}/0000.parquet", "{}.parquet"])
def test_a_folder_of_shards_with_splits(form: str, tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "test")):
        write_parquet(
            tmp_path / "birds" / form.format(split), {"image": [encode(seed), encode(seed + 5)], "label": ["a", "b"]}
        )
    (tmp_path / "birds" / "README.md").write_text("# Birds")
    frame = load_table(tmp_path / "birds").frame
    assert sorted(frame["id"]) == ["test/0.png", "test/1.png", "train/0.png", "train/1.png"]
    assert [name.split("/")[0] for name in frame["id"]] == frame["split"].tolist()


def test_the_folder_around_files_that_were_unpacked_is_unpacked_too(tmp_path: Path) -> None:
    write_parquet(tmp_path / "birds" / "data" / "train.parquet", {"image": [encode(1), encode(2)], "label": ["a", "b"]})
    for place in (tmp_path / "birds", tmp_path / "birds" / "data", tmp_path / "birds" / "data" / "train.parquet"):
        table = load_table(place)
        assert all(f"/{place.name}/" in path and Path(path).is_file() for path in table.frame["path"])


def test_hidden_files_and_those_beside_pictures_are_no_shards(make_folder: MakeFolder) -> None:
    folder = make_folder({"red": 1, "blue": 1})
    write_parquet(folder / ".cache" / "a.parquet", {"image": [encode(1)], "label": ["a"]})
    write_parquet(folder / "red" / "deep" / "b.parquet", {"image": [encode(1)], "label": ["a"]})
    assert load_table(folder).frame["id"].tolist() == ["blue/1.png", "red/1.png"]


def test_shards_of_one_split_count_on(tmp_path: Path) -> None:
    for shard in range(11):
        write_parquet(tmp_path / "birds" / f"train-{shard}-of-11.parquet", {"image": [encode(shard)], "label": [shard]})
    frame = load_table(tmp_path / "birds").frame
    assert frame["id"].tolist() == [f"train/{shard}.png" for shard in range(11)]
    assert frame["label"].tolist() == [str(shard) for shard in range(11)]


def test_a_table_of_paths(make_folder: MakeFolder) -> None:
    folder = make_folder({"red": 1, "blue": 1})
    columns = {"label": [0, 1], "image": ["red/1.png", "blue/1.png"]}
    table = load_table(write_parquet(folder / "labels.parquet", columns, FEATURES))
    assert table.frame["label"].tolist() == ["red", "blue"]
    assert table.frame["path"].tolist() == [str(folder / "red" / "1.png"), str(folder / "blue" / "1.png")]


def test_pictures_of_a_run_are_found_in_a_file_that_was_moved(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "birds.parquet", {"image": [encode(1)], "label": ["a"]})
    (found,) = find_pictures([str(tmp_path / "gone" / "0.png")], tmp_path / "gone", file)
    assert Path(found).read_bytes() == encode(1)


def test_a_file_that_is_not_parquet(tmp_path: Path) -> None:
    for name in ("birds.parquet", "birds.arrow"):
        (tmp_path / name).write_bytes(b"no table at all, but some bytes")
        with pytest.raises(DataError, match=rf"{name}: not readable as a Parquet or Arrow file: "):
            load_table(tmp_path / name)


def test_a_cell_without_a_picture_and_one_with_something_else(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "birds.parquet", {"image": [encode(1), b"text"], "label": ["a", "b"]})
    assert load_table(file).frame["id"].tolist() == ["0.png", "1"]
    file = write_parquet(tmp_path / "more.parquet", {"image": [encode(1), None], "label": ["a", "b"]})
    with pytest.raises(DataError, match=r"more\.parquet/pictures\.csv: column 'image' is empty in the rows\n  2"):
        load_table(file)


def save_dataset(folder: Path, seeds: Sequence[int]) -> None:
    """Write what `Dataset.save_to_disk` of datasets writes: streams of Arrow, and JSON that describes them."""
    pictures = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    note = json.dumps({"info": {"features": {"picture": {"_type": "Image"}, "colour": FEATURES["label"]}}})
    schema = pa.schema([("picture", pictures), ("colour", pa.int64())], metadata={"huggingface": note})
    folder.mkdir(parents=True)
    for shard, part in enumerate((seeds[:2], seeds[2:])):
        cells = {"picture": [{"bytes": encode(seed), "path": None} for seed in part], "colour": [s % 2 for s in part]}
        file = folder / f"data-0000{shard}-of-00002.arrow"
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(pa.table(cells, schema=schema))
    (folder / "state.json").write_text("{}")
    (folder / "dataset_info.json").write_text("{}")


def test_what_datasets_saves(tmp_path: Path) -> None:
    save_dataset(tmp_path / "birds" / "train", [0, 1, 2, 3])
    save_dataset(tmp_path / "birds" / "validation", [5, 6, 7])
    (tmp_path / "birds" / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    table = load_table(tmp_path / "birds")
    assert table.class_names == ("blue", "red")
    seeds = {**{f"train/{n}.png": n for n in range(4)}, **{f"validation/{n}.png": n + 5 for n in range(3)}}
    assert sorted(table.frame["id"]) == sorted(seeds)
    for name, path, label in zip(table.frame["id"], table.frame["path"], table.frame["label"], strict=True):
        assert Path(path).read_bytes() == encode(seeds[name])
        assert label == ("red", "blue")[seeds[name] % 2]
    assert load_table(tmp_path / "birds" / "train").frame["id"].tolist() == [f"{n}.png" for n in range(4)]
