"""Torch datasets as a source of pictures: what an item may be, where labels come from, what goes wrong."""

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Dataset, IterableDataset, Subset

from data_pictures import draw
from discern.data.cache.picture_cache import PictureCache, fingerprint_pictures
from discern.data.duplicates.fingerprints import compute_fingerprints
from discern.data.reading.dataset import ImageDataset, SampleKey
from discern.data.reading.loaders import build_evaluation_loader
from discern.data.reading.preflight import check_images, drop_images
from discern.data.reading.preprocess import Preprocess
from discern.data.sources.load import load_inputs, load_table
from discern.errors import BadImageError, DataError


class Items(Dataset[Any]):
    """Items by index, each made anew by a function; counts how often they are read."""

    def __init__(self, make: Callable[[int], Any], count: int = 4, **attributes: object) -> None:
        self.make = make
        self.count = count
        self.reads: list[int] = []
        for name, value in attributes.items():
            setattr(self, name, value)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        self.reads.append(index)
        return self.make(index)


def make_pair(index: int) -> tuple[Image.Image, int]:
    return draw(index), index % 2


def as_chw(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image,
        np.asarray,
        as_chw,
        lambda image: as_chw(image).float() / 255,
        lambda image: as_chw(image).double() / 255,
    ],
    ids=["PIL", "array", "uint8 tensor", "float tensor", "double tensor"],
)
def test_a_picture_is_the_same_in_every_form(convert: Callable[[Image.Image], Any]) -> None:
    table = load_table(Items(lambda index: (convert(draw(index)), index % 2)))
    assert table.arrays is not None
    for index in range(4):
        assert np.array_equal(table.arrays[index], np.asarray(draw(index)))


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image,
        np.asarray,
        lambda image: torch.from_numpy(np.array(image)),
        lambda image: torch.from_numpy(np.array(image))[None],
    ],
    ids=["PIL", "array", "flat tensor", "tensor of one channel"],
)
def test_a_grey_picture_becomes_rgb(convert: Callable[[Image.Image], Any]) -> None:
    table = load_table(Items(lambda index: (convert(draw(index).convert("L")), index % 2)))
    assert table.arrays is not None
    expected = np.asarray(draw(1).convert("L").convert("RGB"))
    assert np.array_equal(table.arrays[1], expected)


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([0, 1, 10, 2], None, ["0", "1", "10", "2"]),
        ([0, 1, 1, 0], ["ant", "bee"], ["ant", "bee", "bee", "ant"]),
        (["ant", " bee", "bee", "ant"], None, ["ant", "bee", "bee", "ant"]),
        (["ant", "bee", "bee", "ant"], ["bee", "ant"], ["ant", "bee", "bee", "ant"]),
        ([torch.tensor(0), np.int64(1), np.array(1), torch.tensor([0])], ("ant", "bee"), ["ant", "bee", "bee", "ant"]),
    ],
)
@pytest.mark.parametrize("attribute", ["classes", "class_names"])
def test_labels(labels: list[Any], classes: list[str] | None, expected: list[str], attribute: str) -> None:
    named = {} if classes is None else {attribute: classes}
    table = load_table(Items(lambda index: (draw(index), labels[index]), **named))
    assert list(table.frame["label"]) == expected
    assert list(table.frame["id"]) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    "kept",
    [
        {"targets": [0, 1, 0, 1]},
        {"targets": torch.tensor([0, 1, 0, 1])},
        {"targets": np.array([0, 1, 0, 1])},
        {"samples": [("a.png", 0), ("b.png", 1), ("c.png", 0), ("d.png", 1)]},
    ],
)
def test_labels_that_the_dataset_keeps_are_taken_without_reading_pictures(kept: dict[str, Any]) -> None:
    dataset = Items(make_pair, classes=["ant", "bee"], **kept)
    table = load_table(dataset)
    assert list(table.frame["label"]) == ["ant", "bee", "ant", "bee"]
    assert dataset.reads == [0]


def test_labels_that_do_not_agree_with_the_items_are_not_taken() -> None:
    dataset = Items(make_pair, targets=[1, 0, 1, 0])
    assert list(load_table(dataset).frame["label"]) == ["0", "1", "0", "1"]


def test_parts_and_unions_of_datasets_know_their_labels_and_classes() -> None:
    one = Items(make_pair, classes=["ant", "bee"], targets=[0, 1, 0, 1])
    other = Items(make_pair, classes=["ant", "bee"], targets=[0, 1, 0, 1])
    table = load_table(Subset(ConcatDataset([one, other]), [7, 0, 5]))
    assert list(table.frame["label"]) == ["bee", "ant", "bee"]
    assert (one.reads, other.reads) == ([], [3])
    assert table.arrays is not None
    assert np.array_equal(table.arrays[2], np.asarray(draw(1)))


@pytest.mark.parametrize("form", ["mapping", "tuple"])
def test_datasets_by_split(form: str) -> None:
    parts = [Items(make_pair, count) for count in (4, 2, 3)]
    source: Any = dict(zip(("train", "val", "test"), parts, strict=True)) if form == "mapping" else tuple(parts)
    table = load_table(source)
    assert list(table.frame["split"]) == ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assert table.frame["id"].iloc[4] == "validation/0"
    test = table.select("test")
    assert test.arrays is not None
    assert np.array_equal(test.arrays[test.frame["array_index"].iloc[2]], np.asarray(draw(2)))


@pytest.mark.parametrize("source", [{"photos": Items(make_pair)}, {"val": Items(make_pair), "valid": Items(make_pair)}])
def test_names_that_are_no_splits(source: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"the datasets are called .*; expected train, validation, test, each once"):
        load_table(source)


def test_other_things_by_split_are_told_what_to_be_given_as() -> None:
    pair = (np.zeros((2, 8, 8, 3), np.uint8), ["a", "b"])
    message = (
        r'train, val came with a tuple, a str; only torch Datasets .* arrays as \{"train_images": .*a column split'
    )
    with pytest.raises(DataError, match=message):
        load_table({"train": pair, "val": "photos/val"})  # type: ignore[dict-item]


def test_datasets_without_names_are_not_guessed_at() -> None:
    with pytest.raises(DataError, match=r"2 datasets came without names; expected three, .*Say which is which"):
        load_table((Items(make_pair), Items(make_pair)))


class _Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return iter([make_pair(0)])


class _Endless(Dataset[Any]):
    def __getitem__(self, index: int) -> Any:
        return make_pair(index)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (_Stream(), r"_Stream is an IterableDataset, .*; expected one with __len__ and __getitem__"),
        (_Endless(), r"_Endless has no length; expected a dataset with __len__ and __getitem__"),
        (Items(make_pair, 0), r"Items is empty"),
        (Items(lambda index: {"image": draw(index)}), r"item 0 of the dataset Items: it is a dict; expected \(image,"),
        (Items(lambda index: (draw(index), 0, "x")), r"item 0 .*it is a tuple of Image, int, str; expected \(image,"),
        (
            Items(lambda index: (draw(index), 0 if index < 3 else 0.5)),
            r"item 3 of the dataset Items has the label 0.5 of type float; expected text or a whole number",
        ),
        (
            Items(make_pair, targets=[0, 1, 0, 2], classes=["ant", "bee"]),
            r"item 3 .* the label 2 of type int; expected one of the dataset's classes \(ant, bee\) or a number from 0",
        ),
        (Items(lambda index: [][index]), r"item 0 of .*: the dataset raises IndexError: list index out of range"),
    ],
)
def test_what_is_no_labelled_dataset_is_said(dataset: Dataset[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_table(dataset)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (torch.full((3, 8, 8), -0.5), r"a tensor of floats from -0.5 to -0.5; expected 0 to 1. Leave out transforms"),
        (torch.full((3, 8, 8), float("nan")), r"a tensor of floats from nan to nan; expected 0 to 1"),
        (torch.zeros(8, 8, 3), r"a tensor of shape \(8, 8, 3\); expected \(3, H, W\)"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), r"a tensor of torch.int64; expected torch.uint8"),
        (np.zeros((8, 8, 3), np.float32), r"array of float32; expected uint8"),
    ],
)
def test_a_picture_that_cannot_be_used_is_found_and_can_be_left_out(image: Any, reason: str) -> None:
    dataset = Items(lambda index: (image if index == 2 else draw(index), index % 2), targets=[0, 1, 0, 1])
    table = load_table(dataset)
    (problem,) = compute_fingerprints(table).problems
    assert problem.path == "picture 2 in memory"
    with pytest.raises(BadImageError, match=rf"picture 2 in memory: item 2 of the dataset Items: {reason}"):
        raise BadImageError(*problem)
    assert check_images(table, verify="full") == [problem]
    assert list(drop_images(table, [problem]).frame["id"]) == ["0", "1", "3"]


def test_unlabelled_pictures_and_several_inputs_at_once() -> None:
    table = load_inputs([draw(9), Items(lambda index: draw(index), 3), Items(make_pair, 2, classes=["ant", "bee"])])
    assert len(table) == 6
    assert table.frame["label"].fillna("").tolist() == ["", "", "", "", "ant", "bee"]
    assert table.arrays is not None
    for place, seed in zip(table.frame["array_index"], (9, 0, 1, 2, 0, 1), strict=True):
        assert np.array_equal(table.arrays[place], np.asarray(draw(seed)))


def test_pictures_are_read_when_they_are_needed_and_hashed_once() -> None:
    dataset = Items(make_pair, targets=[0, 1, 0, 1])
    table = load_table(dataset)
    assert dataset.reads == [0]
    assert not table.is_in_memory
    first = table.fingerprint(), fingerprint_pictures(table)
    assert (table.fingerprint(), fingerprint_pictures(table.take(np.arange(4)))) == first
    assert dataset.reads == [0, 0, 1, 2, 3]
    changed = load_table(Items(lambda index: (draw(index + 1), index % 2)))
    assert changed.fingerprint() != first[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_read_the_pictures_of_a_dataset(preprocess: Preprocess, workers: int) -> None:
    table = load_table(Items(make_pair, 7))
    in_memory = load_table((np.stack([np.asarray(draw(index)) for index in range(7)]), np.arange(7) % 2))
    batches = [
        list(build_evaluation_loader(ImageDataset(each, preprocess), batch_size=3, workers=workers).batches())
        for each in (table, in_memory)
    ]
    for one, other in zip(*batches, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.targets, other.targets)


def test_pictures_of_a_dataset_are_kept_by_a_cache(preprocess: Preprocess) -> None:
    dataset = Items(make_pair, targets=[0, 1, 0, 1])
    cached = ImageDataset(load_table(dataset), preprocess, cache=PictureCache.in_memory(4, 16, shared=False))
    first = cached[SampleKey(0, 3)].image
    assert torch.equal(cached[SampleKey(1, 3)].image, first)
    assert dataset.reads == [0, 3]


def test_a_table_of_a_dataset_can_be_sent_to_another_process() -> None:
    table = load_table({"train": SimpleItems(), "test": SimpleItems()})
    table.fingerprint()
    again = pickle.loads(pickle.dumps(table))
    assert again.fingerprint() == table.fingerprint()


class SimpleItems(Dataset[Any]):
    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return make_pair(index)


def test_a_source_of_another_kind_is_told_what_is_expected() -> None:
    with pytest.raises(DataError, match=r"cannot be read from a SimpleNamespace; .*a torch Dataset, or datasets by"):
        load_table(SimpleNamespace())  # type: ignore[arg-type]
