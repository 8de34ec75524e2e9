"""Classes whose names differ in writing only are named and never merged."""

import logging
from pathlib import Path

import pandas as pd
import pytest

from data_pictures import MakeFolder
from discern.auditing.class_findings import find_similar_spellings
from discern.auditing.findings import build_fixes
from discern.config.sections.data import DataSettings
from discern.data.prepare import load_fixed
from discern.data.similar_classes import find_similar_classes
from discern.data.splitting.fixes import apply_fixes, load_fixes
from discern.data.table import ImageTable, build_table


def label(*names: str) -> ImageTable:
    return build_table({"id": [str(place) for place in range(len(names))], "label": names}, source="the test")


@pytest.mark.parametrize("other", ["dog", "DOG", "Dog ", " Dog", "Dog.", "D\u200bog", "\uff24\uff4f\uff47"], ids=ascii)
def test_spellings_of_one_word(other: str) -> None:
    assert find_similar_classes(label("Dog", "Dog", other, "cat")) == [{"Dog": 2, other: 1}]


@pytest.mark.parametrize(
    ("one", "other"),
    [("hot dog", "hot_dog"), ("hot dog", "hot-dog"), ("hot dog", "hot  dog"), ("caf\xe9", "cafe\u0301")],
)
def test_blanks_and_forms_of_unicode(one: str, other: str) -> None:
    assert find_similar_classes(label(one, other)) == [{one: 1, other: 1}]


def test_one_number_in_several_forms() -> None:
    found = find_similar_classes(label("3", "3", "3.0", "03", "\uff13", "+3", "1.5", "1.50", "2"))
    assert found == [{"3": 2, "+3": 1, "03": 1, "3.0": 1, "\uff13": 1}, {"1.5": 1, "1.50": 1}]


@pytest.mark.parametrize(
    "names",
    [("a", "A"), ("1", "-1"), ("1.0", "10"), ("1.5", "15"), ("3", "3a"), ("dog", "dogs"), ("c", "c++"), ("a.b", "ab")],
)
def test_what_is_another_class(names: tuple[str, str]) -> None:
    assert find_similar_classes(label(*names)) == []


def test_a_warning_in_one_line_and_a_proposal(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    root = make_folder({"Dog": 3, "dog": 2, "dog ": 1, "cat": 1})
    with caplog.at_level(logging.WARNING, "discern"):
        table = load_fixed(root, DataSettings()).table
    (record,) = caplog.records
    assert "of a number), with their pictures: 'Dog' (3), 'dog' (2), 'dog ' (1). Each counts" in record.getMessage()
    assert len(table.class_names) == 4
    (finding,) = find_similar_spellings(table)
    assert [item.detail for item in finding.items] == [
        "'dog' (2 pictures), and 'Dog' (3 pictures)",
        "'dog ' (1 picture), and 'Dog' (3 pictures)",
    ]
    build_fixes([finding]).to_csv(tmp_path / "fixes.csv", index=False)
    fixed = apply_fixes(table, [load_fixes(tmp_path / "fixes.csv")]).table
    assert fixed.class_names == ("cat", "Dog")


def test_labels_of_a_table_and_of_arrays(make_folder: MakeFolder, caplog: pytest.LogCaptureFixture) -> None:
    root = make_folder({".": 2})
    frame = pd.DataFrame({"image": [str(root / "1.png"), str(root / "2.png")], "label": ["Dog", "dog"]})
    load_fixed(frame, DataSettings())
    assert "'Dog' (1), 'dog' (1)" in caplog.text
