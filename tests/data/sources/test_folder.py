from pathlib import Path

import pandas as pd
import pytest

from data_pictures import MakeFolder, draw, write_run
from discern.data.sources.load import load_table
from discern.data.sources.walk import explain_unsupported
from discern.data.splitting.split import split_table
from discern.errors import DataError
from discern.evaluation.evaluated_pictures import choose_evaluated_split


def test_class_folders_in_natural_order(make_folder: MakeFolder) -> None:
    table = load_table(make_folder({"1": 1, "10": 1, "100": 1, "2": 11}))
    assert table.class_names == ("1", "2", "10", "100")
    assert table.frame["id"].tolist()[:4] == ["1/1.png", "2/1.png", "2/2.png", "2/3.png"]
    assert table.frame["split"].isna().all()
    assert all(Path(path).is_file() for path in table.frame["path"])


def test_split_folders_by_any_of_their_names(make_folder: MakeFolder) -> None:
    root = make_folder({"Train/ants": 2, "Train/bees": 1, "valid/ants": 1, "test/bees": 2})
    frame = load_table(root).frame
    found = dict(zip(frame["id"], frame["split"], strict=True))
    assert found["Train/ants/2.png"] == "train"
    assert found["valid/ants/1.png"] == "validation"
    assert found["test/bees/2.png"] == "test"
    assert len(frame) == 6


def test_classes_may_be_called_train_and_test(make_folder: MakeFolder) -> None:
    table = load_table(make_folder({"train": 2, "car": 2, "test": 1}))
    assert table.class_names == ("car", "test", "train")


def test_two_flat_folders_called_like_splits_are_no_classes(make_folder: MakeFolder) -> None:
    with pytest.raises(DataError, match=r"train: pictures, but no class folders.*give the CSV"):
        load_table(make_folder({"train": 2, "test": 2}))


def test_flat_test_folder_is_passed_over_and_said_so(make_folder: MakeFolder) -> None:
    table = load_table(make_folder({"train/ants": 2, "train/bees": 2, "test": 1}))
    assert table.frame["split"].tolist() == ["train"] * 4
    assert table.ignored == ("test/1.png: in no class folder",)


def test_other_files_are_ignored_with_the_reason(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 1, "bees": 1, "empty": 0})
    (root / "notes.txt").write_text("x")
    (root / "ants" / "labels.csv").write_text("x")
    (root / "ants" / "README").write_text("x")
    (root / "ants" / ".DS_Store").write_text("x")
    draw(0).save(root / "loose.jpg")
    table = load_table(root)
    assert len(table) == 2
    assert set(table.ignored) == {
        "notes.txt: .txt is no supported type of picture",
        "ants/labels.csv: .csv is no supported type of picture",
        "ants/README: no extension is no supported type of picture",
        "loose.jpg: in no class folder",
        "empty: no pictures in it",
    }


def test_photos_of_phones_name_the_package_that_they_need() -> None:
    reason = ".HEIC is no supported type of picture; to read it: pip install 'discern-vision[heif]'"
    assert explain_unsupported(".HEIC") == reason


def test_extensions_in_any_case(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 1, "bees": 1})
    draw(0).save(root / "ants" / "BIG.JPEG")
    draw(0).save(root / "bees" / "x.WebP")
    assert len(load_table(root)) == 4


def test_flat_folder_has_no_classes(make_folder: MakeFolder) -> None:
    with pytest.raises(DataError, match="pictures, but no class folders"):
        load_table(make_folder({".": 2}))


def test_no_pictures_says_what_would_be_one(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 0})
    (root / "ants" / "1.xyz").write_text("x")
    with pytest.raises(
        DataError, match=r"no pictures found. Not used:\n  ants/1.xyz: .xyz is no(.|\n)*Supported.*\.webp"
    ):
        load_table(root)


def test_splits_without_train_are_read_for_an_evaluation_and_not_trained_on(make_folder: MakeFolder) -> None:
    table = load_table(make_folder({"val/ants": 1, "test/ants": 1}))
    assert table.frame["split"].tolist() == ["test", "validation"]
    assert choose_evaluated_split(table, None)[0] == "test"
    with pytest.raises(DataError, match=r"no picture is in train; found test, validation\. Training needs pictures"):
        split_table(table, fractions=(0.7, 0.15, 0.15), seed=0)
    only = load_table(make_folder({"validation/ants": 2}, name="only"))
    assert choose_evaluated_split(only, None)[0] == "validation"
    with pytest.raises(DataError, match="pictures, but no class folders"):
        load_table(make_folder({"test": 1}, name="flat"))


def test_two_folders_for_one_split(make_folder: MakeFolder) -> None:
    with pytest.raises(DataError, match="val, valid mean the same split"):
        load_table(make_folder({"train/ants": 1, "val/ants": 1, "valid/ants": 1}))


def test_missing_place_and_unknown_form(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file or folder \(seen from .*\)\. Check the spelling\.$"):
        load_table(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"Pictures are not read from addresses\. Download them, and give the file"):
        load_table("https://example.org/birds.zip")
    (tmp_path / "data.sqlite").write_text("x")
    with pytest.raises(DataError, match=r"folder of class folders, or an archive .* that ends in \.csv, \.tsv"):
        load_table(tmp_path / "data.sqlite")


@pytest.mark.parametrize("source", [[pd.DataFrame()], ["a.jpg"], None, (1, 2, 3)])
def test_source_of_a_type_that_is_not_understood(source: object) -> None:
    kind = type(source).__name__
    with pytest.raises(DataError, match=f"cannot be read from a {kind}; expected the path of a folder, .*a DataFrame"):
        load_table(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["run", "runs/first"])
def test_run_among_the_classes_is_passed_over(make_folder: MakeFolder, place: str) -> None:
    root = make_folder({"ants": 2, "bees": 2, f"{place}/plots": 3, f"{place}/evaluation": 0})
    write_run(root / place)
    draw(0).save(root / place / "report.png")
    table = load_table(root)
    assert table.class_names == ("ants", "bees")
    assert f"{place}: belongs to a run of discern" in table.ignored


def test_run_beside_split_folders_is_passed_over(make_folder: MakeFolder) -> None:
    root = make_folder({"train/ants": 2, "train/bees": 2, "test/ants": 1, "run/plots": 1})
    write_run(root / "run")
    table = load_table(root)
    assert set(table.frame["split"]) == {"train", "test"}
    assert table.ignored == ("run: belongs to a run of discern",)


def test_bundle_marks_a_run(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 2, "bees": 2, "run": 1, "run/bundle": 0})
    (root / "run" / "bundle" / "bundle.json").write_text("{}")
    assert load_table(root).class_names == ("ants", "bees")


def test_run_in_the_folder_of_classes_itself(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 2, "bees": 2, "plots": 3, "evaluation": 1, "state": 1, "bundle": 1})
    assert load_table(root).class_names == ("ants", "bees", "bundle", "evaluation", "plots", "state")
    write_run(root)
    table = load_table(root)
    assert table.class_names == ("ants", "bees")
    assert "bundle, evaluation, plots and 1 more: belongs to a run of discern" in table.ignored


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("hymenoptera", {"train": 244, "validation": 153}),
        ("aircraft_civil", {"train": 476, "validation": 102, "test": 102}),
        ("flowers5", {"train": 3476, "test": 841}),
    ],
)
def test_real_folders(shared_data: Path, name: str, counts: dict[str, int]) -> None:
    table = load_table(shared_data / name)
    assert table.frame["split"].value_counts().to_dict() == counts
    assert table.ignored == ()
