import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from discern.data.splitting.split import apply_split, save_split, split_table
from discern.data.table import SPLITS, ImageTable, build_table
from discern.errors import ConfigError, DataError

DEFAULT = (0.7, 0.15, 0.15)


def table_of(counts: dict[str, int], *, split: str | None = None) -> ImageTable:
    labels = [name for name, count in counts.items() for _ in range(count)]
    ids = [f"{label}/{number}.jpg" for number, label in enumerate(labels)]
    return build_table({"id": ids, "label": labels, "split": [split] * len(ids)}, source="here")


def count(table: ImageTable) -> dict[tuple[str, str], int]:
    return dict(Counter(zip(table.frame["label"], table.frame["split"], strict=True)))


def split_by_id(table: ImageTable) -> dict[str, str]:
    return dict(zip(table.frame["id"], table.frame["split"], strict=True))


def test_every_class_is_divided_by_the_fractions() -> None:
    table, remarks = split_table(table_of({"a": 100, "b": 20, "c": 3}), fractions=DEFAULT, seed=0)
    assert remarks == ()
    assert count(table) == {
        (name, split): number
        for name, numbers in {"a": (70, 15, 15), "b": (14, 3, 3), "c": (1, 1, 1)}.items()
        for split, number in zip(SPLITS, numbers, strict=True)
    }


@pytest.mark.parametrize("grouped", [False, True])
def test_split_does_not_depend_on_the_order_of_rows(grouped: bool) -> None:
    table = table_of({"a": 37, "b": 12, "c": 5})
    if grouped:
        groups = [str(row % 17) if row % 5 else None for row in range(len(table))]
        table.frame["group"] = np.array(groups, dtype=object)
    expected = split_by_id(split_table(table, fractions=DEFAULT, seed=3)[0])
    rng = np.random.default_rng(0)
    for _ in range(5):
        shuffled = table.take(rng.permutation(len(table)))
        result = split_table(shuffled, fractions=DEFAULT, seed=3)[0]
        assert split_by_id(result) == expected
        assert result.frame["id"].tolist() == shuffled.frame["id"].tolist()
    assert split_by_id(split_table(table, fractions=DEFAULT, seed=4)[0]) != expected


def test_another_class_changes_nothing_for_the_others() -> None:
    few = split_by_id(split_table(table_of({"a": 30, "b": 30}), fractions=DEFAULT, seed=0)[0])
    more = split_by_id(split_table(table_of({"a": 30, "b": 30, "c": 30}), fractions=DEFAULT, seed=0)[0])
    assert few.items() <= more.items()


def test_one_and_two_pictures() -> None:
    table, remarks = split_table(table_of({"a": 1, "b": 2, "c": 20}), fractions=DEFAULT, seed=0)
    found = count(table)
    assert found["a", "train"] == 1
    assert (found["b", "train"], found["b", "validation"]) == (1, 1)
    assert remarks == (
        "class 'a' has no picture in validation (1 in train)",
        "class 'a' has no picture in test (1 in train)",
        "class 'b' has no picture in test (1 in train, 1 in validation)",
    )


def test_many_classes_without_a_picture_are_one_remark_a_split() -> None:
    table = table_of({f"class {number}": 1 for number in range(300)} | {"many": 20})
    _, remarks = split_table(table, fractions=DEFAULT, seed=0)
    assert len(remarks) == 2
    assert remarks[0].startswith("300 classes have no picture in validation: 'class 0' (1 in train), 'class 1' (1 in ")
    assert remarks[0].endswith(" and 295 more")


def test_pictures_with_a_class_each_are_refused() -> None:
    table = table_of({f"{number / 8}": 1 for number in range(30)})
    message = r"each of its 30 .* a class of its own: '0\.0', .* label_column or label_pattern; .* split=\[1, 0, 0\]\."
    with pytest.raises(DataError, match=message):
        split_table(table, fractions=DEFAULT, seed=0)
    assert len(split_table(table, fractions=(1.0, 0.0, 0.0), seed=0)[0].select("train")) == 30


@pytest.mark.parametrize("fractions", [(0.5, 0.0, 0.5), (0.2, 0.4, 0.4), (0.01, 0.98, 0.01), (1.0, 0.0, 0.0)])
def test_train_always_keeps_every_class(fractions: tuple[float, float, float]) -> None:
    for size in range(1, 12):
        table, _ = split_table(table_of({"a": size, "b": 7}), fractions=fractions, seed=size)
        found = count(table)
        assert found["a", "train"] >= 1
        assert ("a", "validation") not in found or fractions[1] > 0


def test_users_split_is_kept_and_validation_comes_from_train() -> None:
    table = table_of({"a": 100, "b": 100}, split="train")
    table.frame.loc[table.frame.index % 5 == 0, "split"] = "test"
    result, remarks = split_table(table, fractions=DEFAULT, seed=0)
    given = split_by_id(table)
    assert all((split == "test") == (given[name] == "test") for name, split in split_by_id(result).items())
    assert count(result)["a", "validation"] == round(80 * 0.15 / 0.85)
    assert remarks == ("there was no validation split, so 28 of 160 pictures of train became it",)
    assert split_table(table, fractions=(0.8, 0.0, 0.2), seed=0)[1] == ("there is no validation split",)


def test_missing_test_stays_missing() -> None:
    table = table_of({"a": 10, "b": 10}, split="train")
    table.frame.loc[::4, "split"] = "validation"
    result, remarks = split_table(table, fractions=DEFAULT, seed=0)
    assert split_by_id(result) == split_by_id(table)
    assert remarks == ("there is no test split",)


def test_class_that_train_lacks() -> None:
    table = table_of({"a": 4, "b": 4, "c": 3, "d": 2}, split="train")
    table.frame.loc[table.frame["label"] == "c", "split"] = "test"
    table.frame.loc[table.frame["label"] == "d", "split"] = "validation"
    with pytest.raises(DataError, match=r"without a picture in train:\n  'c': 3 in test\n  'd': 2 in validation\n"):
        split_table(table, fractions=DEFAULT, seed=0)


def test_class_that_test_lacks_is_a_remark_and_shifts_nothing() -> None:
    table = table_of({"a": 9, "b": 9, "c": 9}, split="train")
    table.frame.loc[[0, 1, 20, 21], "split"] = "test"
    result, remarks = split_table(table, fractions=DEFAULT, seed=0)
    assert "class 'b' has no picture in test (7 in train, 2 in validation)" in remarks
    assert result.select("test").targets().tolist() == [0, 0, 2, 2]


def test_class_whose_pictures_were_all_dropped() -> None:
    table = table_of({"a": 5, "b": 5, "c": 1})
    result, remarks = split_table(table.take(np.arange(10)), fractions=DEFAULT, seed=0)
    assert result.class_names == ("a", "b")
    assert "class 'c' has no pictures left" in remarks


def test_table_without_pictures(tmp_path: Path) -> None:
    empty = table_of({"a": 5, "b": 5}).take(np.arange(0))
    with pytest.raises(DataError, match="here: no picture is left"):
        split_table(empty, fractions=DEFAULT, seed=0)
    with pytest.raises(DataError, match="here: no picture is left"):
        apply_split(empty, write_split(tmp_path / "split.csv", {"a1": "train"}), dropped=["a1"])


def test_tables_that_cannot_be_split() -> None:
    with pytest.raises(DataError, match="one class only, 'a'"):
        split_table(table_of({"a": 5}), fractions=DEFAULT, seed=0)
    unlabelled = table_of({"a": 5, "b": 5})
    unlabelled.frame.loc[3, "label"] = None
    with pytest.raises(DataError, match=r"1 of 10 pictures have no label:\n  a/3.jpg"):
        split_table(unlabelled, fractions=DEFAULT, seed=0)
    partly = table_of({"a": 5, "b": 5}, split="train")
    partly.frame.loc[3, "split"] = None
    with pytest.raises(DataError, match=r"1 of 10 pictures are in no split, the others are:\n  a/3.jpg"):
        split_table(partly, fractions=DEFAULT, seed=0)
    with pytest.raises(DataError, match="no picture is in train; found test"):
        split_table(table_of({"a": 5, "b": 5}, split="test"), fractions=DEFAULT, seed=0)


@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.2), (0.0, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_fractions_that_make_no_split(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match="three fractions for train, validation and test that add up to 1"):
        split_table(table_of({"a": 5, "b": 5}), fractions=fractions, seed=0)


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_together_and_fractions_hold_roughly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = table_of({"a": 300, "b": 100, "c": 100})
    table.frame["group"] = [f"patient {number}" for number in rng.integers(0, 80, len(table))]
    result, _ = split_table(table, fractions=DEFAULT, seed=seed)
    assert (result.frame.groupby("group")["split"].nunique() == 1).all()
    found = count(result)
    for name, total in (("a", 300), ("b", 100), ("c", 100)):
        assert found[name, "train"] / total == pytest.approx(0.7, abs=0.08)
        assert found[name, "test"] / total == pytest.approx(0.15, abs=0.08)


def test_class_in_a_single_group_is_trained_on() -> None:
    table = table_of({"a": 20, "b": 20, "c": 3})
    table.frame["group"] = [str(row) for row in range(40)] + ["only"] * 3
    result, remarks = split_table(table, fractions=(0.01, 0.5, 0.49), seed=0)
    assert count(result)["c", "train"] == 3
    assert "class 'c' has no picture in test (3 in train)" in remarks


def test_groups_on_two_sides_of_the_users_split() -> None:
    table = table_of({"a": 4, "b": 4}, split="train")
    table.frame.loc[[1, 5], "split"] = "test"
    table.frame["group"] = ["p", "p", "q", "q", "r", "s", "t", "t"]
    with pytest.raises(DataError, match=r"on more than one side of the split:\n  p: test, train\nScores"):
        split_table(table, fractions=DEFAULT, seed=0)


def test_split_is_written_and_given_back(tmp_path: Path) -> None:
    table = table_of({"a, with comma": 10, "NA": 10})
    split, _ = split_table(table, fractions=DEFAULT, seed=0)
    save_split(split, tmp_path / "split.csv")
    assert (tmp_path / "split.csv").read_text().startswith("id,path,label,split\n")
    shuffled = table.take(np.random.default_rng(0).permutation(20))
    applied = apply_split(shuffled, tmp_path / "split.csv")
    assert split_by_id(applied) == split_by_id(split)
    assert applied.frame["id"].tolist() == shuffled.frame["id"].tolist()


def test_split_that_does_not_fit_lists_every_mismatch(tmp_path: Path) -> None:
    table = build_table({"id": ["1", "2", "3", "10"], "label": ["a", "a", "b", "b"]}, source="here")
    path = tmp_path / "split.csv"
    path.write_text("id,label,split\n1,b,train\n3,b,left\n4,b,test\n3,b,test\n")
    with pytest.raises(DataError, match="does not fit here") as error:
        apply_split(table, path)
    assert str(error.value).splitlines()[1:-1] == [
        "  2: not in split.csv",
        "  10: not in split.csv",
        "  4: not in here",
        "  3: twice in split.csv",
        "  3: split 'left'",
        "  1: label 'a', but 'b' in split.csv",
    ]


def write_split(path: Path, rows: dict[str, str]) -> Path:
    """Rows are splits by id; the label is the first letter of the id."""
    path.write_text("id,label,split\n" + "".join(f"{name},{name[0]},{split}\n" for name, split in rows.items()))
    return path


def table_of_ids(*ids: str) -> ImageTable:
    return build_table({"id": ids, "label": [name[0] for name in ids]}, source="here")


def test_split_file_takes_every_name_of_a_split_and_blanks(tmp_path: Path) -> None:
    path = write_split(tmp_path / "split.csv", {"a1": "Training", "b1": "train", "a2": " val ", "b2": "valid"})
    path.write_text(path.read_text().replace("b1,b,", "b1, b ,"))
    applied = apply_split(table_of_ids("a1", "a2", "b1", "b2"), path)
    assert applied.frame["split"].tolist() == ["train", "validation", "train", "validation"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a1": "test", "b1": "test"}, "here: no picture is in train; found test"),
        ({"a1": "train", "b1": "train", "c1": "test"}, r"classes without a picture in train:\n  'c': 1 in test\n"),
        ({"a1": "train", "a2": "test"}, "here: one class only, 'a'"),
        ({"a1": "train", "b1": ""}, r"does not fit here:\n  b1: split ''\n"),
    ],
)
def test_split_file_that_nothing_can_be_trained_with(tmp_path: Path, rows: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        apply_split(table_of_ids(*rows), write_split(tmp_path / "split.csv", rows))


def test_split_file_without_labels_or_with_torn_groups(tmp_path: Path) -> None:
    rows = {"a1": "train", "b1": "train", "a2": "test"}
    path = write_split(tmp_path / "split.csv", rows)
    table = table_of_ids(*rows)
    table.frame["group"] = ["p", "q", "p"]
    with pytest.raises(DataError, match=r"groups on more than one side of the split:\n  p: test, train"):
        apply_split(table, path)
    table.frame["label"] = ["a", "b", None]
    path.write_text(path.read_text().replace("a2,a", "a2,"))
    with pytest.raises(DataError, match=r"here: 1 of 3 pictures have no label:\n  a2\n"):
        apply_split(table, path)


def test_split_file_with_dropped_pictures_gives_the_same_classes_as_splitting(tmp_path: Path) -> None:
    whole = table_of_ids("a1", "a2", "b1", "b2", "c1")
    path = write_split(tmp_path / "split.csv", dict.fromkeys(whole.frame["id"], "train"))
    kept = whole.take(np.arange(4))
    with pytest.raises(DataError, match=r"does not fit here:\n  c1: not in here\n"):
        apply_split(kept, path)
    applied = apply_split(kept, path, dropped=["c1"])
    assert applied.class_names == split_table(kept, fractions=DEFAULT, seed=0)[0].class_names == ("a", "b")
    assert len(applied) == 4


def test_split_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text("name,part\n1,train\n")
    with pytest.raises(DataError, match="has no column id, label, split; expected id, path, label, split"):
        apply_split(table_of({"a": 1}), path)
    with pytest.raises(DataError, match=r"no.csv: cannot be read: No such file"):
        apply_split(table_of({"a": 1}), tmp_path / "no.csv")


@pytest.mark.parametrize("write", [lambda name: name, lambda name: f"/kaggle/x/{name}", lambda name: f"C:\\x\\{name}"])
def test_split_file_of_another_machine(tmp_path: Path, write: Callable[[str], str]) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    ids = [f"{decomposed}/1.jpg", f"{decomposed}/2.jpg", "b/1.jpg"]
    table = build_table({"id": ids, "label": [decomposed, decomposed, "b"]}, source="here")
    names = [write(f"{composed}/1.jpg"), write(f"{composed}/2.jpg").replace("/", "\\"), write("b/1.jpg")]
    rows = zip(names, (composed, composed, "b"), ("train", "test", "train"), strict=True)
    (tmp_path / "split.csv").write_text("id,label,split\n" + "".join(f"{','.join(row)}\n" for row in rows))
    assert apply_split(table, tmp_path / "split.csv").frame["split"].tolist() == ["train", "test", "train"]


def test_two_names_of_one_picture_in_a_split_file_are_refused(tmp_path: Path) -> None:
    table = build_table({"id": ["a/1.jpg", "b/1.jpg"], "label": ["a", "b"]}, source="here")
    text = "id,label,split\na/1.jpg,a,train\na\\1.jpg,a,test\nb/1.jpg,b,train\n"
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match=r"a\\1.jpg: twice in split.csv"):
        apply_split(table, tmp_path / "split.csv")
