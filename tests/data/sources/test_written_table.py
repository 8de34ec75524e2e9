"""Patterns and lines of Python in messages: what they find or write is read as the message says."""

import re
import shlex
from pathlib import Path

import pytest

from data_pictures import draw
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.load import load_table
from discern.errors import DataError


def run_advice(place: str, names: list[str], *, use: str = "") -> tuple[str, dict[str, tuple[str, str]]]:
    """Draw the pictures, run the lines that the message shows, and return it and what the CSV that they write has.

    Of alternatives, which are commented out, the one for the classes `use` is taken.
    """
    for seed, name in enumerate(names):
        Path(place, name).parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(Path(place, name))
    with pytest.raises(DataError) as error:
        load_table(place)
    lines = [line.strip() for line in str(error.value).splitlines() if line.startswith("  ")]
    exec("\n".join(line.lstrip("# ") if use and line.endswith(use) else line for line in lines), {})
    frame = load_table("discern_labels.csv").frame
    rows = zip(frame["id"], frame["label"], frame["split"].fillna(""), strict=True)
    return str(error.value), {name: (label, split) for name, label, split in rows}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def use_pattern(place: str, names: list[str]) -> tuple[str, dict[str, str]]:
    """Draw the pictures, and return the message and what the pattern that it shows finds in them."""
    for seed, name in enumerate(names):
        Path(place).mkdir(parents=True, exist_ok=True)
        draw(seed).save(Path(place, name))
    with pytest.raises(DataError) as error:
        load_table(place)
    found = re.search(r'Set label_pattern=r"(.*)"\.$', str(error.value))
    assert found is not None
    assert f"Set {shlex.quote('data.label_pattern=' + found[1])}." in error.value.for_command_line()
    assert f"Set --label-pattern {shlex.quote(found[1])}." in error.value.for_command_line(takes_settings=False)
    frame = load_table(place, ColumnSettings(label_pattern=found[1])).frame
    return str(error.value), dict(zip(frame["id"], frame["label"], strict=True))


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [
        ("cat_1.jpg", "dog_2.jpg", ("cat", "dog")),
        ("cat.0.jpg", "dog.0.PNG", ("cat", "dog")),
        ("big cat (1).jpg", "small-dog12.jpg", ("big cat", "small-dog")),
        ("1_cat.jpg", "002-dog.jpg", ("cat", "dog")),
    ],
)
def test_labels_in_the_names_of_a_flat_folder(first: str, second: str, labels: tuple[str, str]) -> None:
    message, found = use_pattern("all [1]", [first, second])
    assert "pictures, but no class folders. Expected FOLDER/CLASS/picture.jpg" in message
    assert f"seem to hold the classes {labels[0]} ({first}), {labels[1]} ({second}). Set" in message
    assert found == {first: labels[0], second: labels[1]}


@pytest.mark.parametrize("form", ["{label}_a3{number}f", "a3{number}f-{label}", "{label}_{number}"])
def test_labels_beside_what_differs(form: str) -> None:
    labels = ("7", "8", "7", "8")
    names = [f"{form.format(label=label, number=number)}.jpg" for number, label in enumerate(labels, start=10)]
    found = use_pattern(".", names)[1]
    assert [found[name] for name in names] == list(labels)


def test_pictures_that_a_pattern_would_not_match_are_left_out_by_lines_of_python() -> None:
    found = run_advice("pets", [*(f"cat_{number}.jpg" for number in range(9)), "dog_1.jpg", "cover.jpg"])[1]
    assert found["pets/dog_1.jpg"] == ("dog", "")
    assert "pets/cover.jpg" not in found


def test_names_without_labels_show_how_the_table_begins() -> None:
    for seed in range(3):
        draw(seed).save(f"IMG_{seed}.jpg")
    with pytest.raises(DataError, match=r"CSV begins with\n  image,label\n  IMG_0.jpg,CLASS$"):
        load_table(".")


def test_labels_in_the_names_of_flat_splits() -> None:
    cats = [f"train/cat.{number}.jpg" for number in range(8)]
    others = ["train/dog.0.jpg", "train/cover.jpg", "test1/1.jpg", "test1/12.jpg"]
    found = run_advice("set/pets", [*cats, *others])[1]
    assert found == {
        **{f"set/pets/{name}": ("cat", "train") for name in cats},
        "set/pets/train/dog.0.jpg": ("dog", "train"),
    }


@pytest.mark.parametrize(("start", "split"), [("", ""), ("data/", ""), ("train/", "train")])
@pytest.mark.parametrize(("use", "part"), [("the classes ants, bees", 1), ("the classes 2019, 2020", 0)])
def test_folders_that_repeat_inside_others(start: str, split: str, use: str, part: int) -> None:
    names = [f"{start}{year}/{name}/deep/1.png" for year in ("2019", "2020") for name in ("ants", "bees")]
    message, found = run_advice("photos", names, use=use)
    assert "may be 2019, 2020, or the folders that repeat inside them, ants, bees. Expected" in message
    expected = [name.removeprefix(start).split("/")[part] for name in names]
    assert found == {f"photos/{name}": (label, split) for name, label in zip(names, expected, strict=True)}
