import hashlib
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from discern.data.splitting.fixes import FixedTable, apply_fixes, load_fixes
from discern.data.splitting.groups import join_groups
from discern.data.splitting.split import split_table
from discern.data.table import ImageTable, build_table
from discern.errors import DataError


def table_of(folder: Path) -> ImageTable:
    ids = ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"]
    paths = [str(folder / name) for name in ids]
    return build_table({"id": ids, "path": paths, "label": [name[0] for name in ids]}, source="here")


def apply(folder: Path, *texts: str) -> FixedTable:
    files = []
    for number, text in enumerate(texts):
        path = folder / f"fixes{number}.csv"
        path.write_text(text)
        files.append(load_fixes(path))
    return apply_fixes(table_of(folder), files)


def test_pictures_are_left_out_labelled_anew_and_grouped(tmp_path: Path) -> None:
    rows = f"path,problem,action,value,score,reason\na/1.jpg,x,drop,,1,\n{tmp_path}/a/2.jpg,x,relabel,b,1,\n"
    fixed = apply(tmp_path, rows + "b/3.jpg,x,group,g,1,\nb/4.jpg,x,group,g,1,\n")
    assert fixed.table.frame["id"].tolist() == ["a/2.jpg", "b/3.jpg", "b/4.jpg"]
    assert fixed.table.frame["label"].tolist() == ["b", "b", "b"]
    assert fixed.table.frame["group"].fillna("").tolist() == ["", "g", "g"]
    assert fixed.table.class_names == ("a", "b")
    assert fixed.dropped == ("a/1.jpg",)
    assert fixed.counts == {"drop": 1, "relabel": 1, "group": 2}


def test_a_path_is_also_understood_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "..")
    assert apply(tmp_path, f"path,action,value\n{tmp_path.name}/a/1.jpg,drop,\n").dropped == ("a/1.jpg",)


def test_the_last_decision_of_a_review_holds(tmp_path: Path) -> None:
    first = "path,action,old,new,time\na/1.jpg,drop,a,,1\na/2.jpg,relabel,a,b,2\nb/3.jpg,relabel,b,a,3\n"
    second = "path,action,old,new,time\na/1.jpg,keep,a,,4\na/2.jpg,drop,a,,5\n"
    fixed = apply(tmp_path, first, second)
    assert fixed.table.frame["id"].tolist() == ["a/1.jpg", "b/3.jpg", "b/4.jpg"]
    assert fixed.table.frame["label"].tolist() == ["a", "a", "b"]
    assert fixed.counts == {"drop": 1, "relabel": 1, "group": 0}


def test_what_is_recorded_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "fixes.csv"
    path.write_text("path,action,value\na/1.jpg,drop,\nb/3.jpg,drop,\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_fixes(path).to_dict() == {"path": str(path), "sha256": digest, "rows": {"drop": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,action,value\na/1.jpg,remove,\na/2.jpg,relabel,\nb/3.jpg,group,\n,drop,\n",
            r"row 1, a/1.jpg: unknown action 'remove'; there are drop, relabel, group, keep\n  row 2, a/2.jpg: relabel "
            r"without a label\n  row 3, b/3.jpg: group without a name\n  row 4: no path",
        ),
        (
            "path,action,value\nc/1.jpg,drop,\nd,relabel,b\n",
            r"does not have:\n  fixes0.csv, row 1: 'c/1.jpg'\n.*row 2: 'd'",
        ),
        ("file,what\n1,2\n", r"its columns are file, what; expected path, action and value \(or new\)"),
    ],
)
def test_what_cannot_be_applied_is_told_all_at_once(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        apply(tmp_path, text)


def test_groups_are_joined_with_the_users_and_never_over_his_split() -> None:
    ids = [f"{number}.jpg" for number in range(6)]
    table = build_table({"id": ids, "label": ["a"] * 6, "group": ["p", "p", None, None, None, "q"]}, source="here")
    joined = join_groups(table, np.array([[1, 2], [3, 4]]))
    assert joined.frame["group"].tolist() == ["p", "p", "p", "copies of 3.jpg", "copies of 3.jpg", "q"]
    table.frame["split"] = ["train", "train", "test", "train", "train", "test"]
    assert join_groups(table, np.array([[1, 2], [3, 4]])).frame["group"].fillna("").tolist()[:3] == ["p", "p", ""]


def test_copies_stay_on_one_side_and_classes_at_their_fractions() -> None:
    labels = ["a"] * 60 + ["b"] * 40
    ids = [f"{label}/{number}.jpg" for number, label in enumerate(labels)]
    table = build_table({"id": ids, "label": labels}, source="here")
    pairs = np.array([[0, 1], [1, 2], [10, 70], [20, 21], [80, 81], [82, 83]])
    expected = None
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(100) if seed else np.arange(100)
        place_of_row = np.argsort(order)
        joined = join_groups(table.take(order), place_of_row[pairs])
        split, _ = split_table(joined, fractions=(0.7, 0.15, 0.15), seed=5)
        side = dict(zip(split.frame["id"], split.frame["split"], strict=True))
        assert all(side[ids[first]] == side[ids[second]] for first, second in pairs)
        counts = split.frame.groupby(["label", "split"]).size().to_dict()
        assert counts == {
            ("a", "train"): 42, ("a", "validation"): 9, ("a", "test"): 9,
            ("b", "train"): 28, ("b", "validation"): 6, ("b", "test"): 6,
        }  # fmt: skip
        expected = expected or side
        assert side == expected


def test_fixes_written_on_another_machine(tmp_path: Path) -> None:
    rows = "path,action,value\n/kaggle/x/a/1.jpg,drop,\nC:\\x\\a\\2.jpg,relabel,b\n/kaggle/x/gone/3.jpg,drop,\n"
    fixed = apply(tmp_path, rows)
    assert fixed.dropped == ("a/1.jpg",)
    assert fixed.table.frame["label"].tolist() == ["b", "b", "b"]


def test_fixes_for_pictures_that_are_gone_have_no_effect_and_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fixed = apply(tmp_path, "path,action,value\na/9.jpg,drop,\nb/9.jpg,relabel,a\na/1.jpg,drop,\n")
    assert fixed.counts == {"drop": 1, "relabel": 0, "group": 0}
    assert "fixes for 2 pictures that are gone: fixes0.csv, row 1: 'a/9.jpg', fixes0.csv, row 2" in caplog.text
    assert apply(tmp_path, "path,action,value\na/9.jpg,drop,\n").dropped == ()


def test_fixes_for_a_file_that_is_there_but_not_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "other.jpg").touch()
    with pytest.raises(DataError, match=r"does not have:\n  fixes0.csv, row 1: .*other.jpg"):
        apply(tmp_path, f"path,action,value\n{tmp_path}/other.jpg,drop,\na/1.jpg,drop,\n")


def test_names_and_classes_of_fixes_are_compared_without_unicode_form(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    table = build_table({"id": [f"{decomposed}.jpg", "1.jpg"], "label": [decomposed, "a"]}, source="here")
    (tmp_path / "fixes.csv").write_text(f"path,action,value\n{composed}.jpg,drop,\n1.jpg,relabel,{composed}\n")
    fixed = apply_fixes(table, [load_fixes(tmp_path / "fixes.csv")])
    assert fixed.dropped == (f"{decomposed}.jpg",)
    assert fixed.table.class_names == (decomposed,)
