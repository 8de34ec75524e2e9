import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data_pictures import MakeFolder, draw
from discern.data.cache import array_cache
from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.picture_cache import (
    CachePlace,
    PictureCache,
    build_picture_cache,
    compute_cache_key,
    fingerprint_pictures,
)
from discern.data.reading.augment import build_augment
from discern.data.reading.dataset import ImageDataset, SampleKey
from discern.data.reading.loaders import Batch, StartMethod, build_evaluation_loader, build_train_loader
from discern.data.reading.preprocess import Preprocess
from discern.data.sources.load import load_inputs, load_table
from discern.data.table import ImageTable
from discern.errors import BadImageError, DataError

CANVAS = 20


@pytest.fixture
def table(make_folder: MakeFolder) -> ImageTable:
    return load_table(make_folder({"ants": 4, "bees": 3}))


@pytest.fixture
def arrays(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "cache", limit_bytes=2**30)


def build_dataset(table: ImageTable, preprocess: Preprocess, cache: PictureCache | None) -> ImageDataset:
    return ImageDataset(table, preprocess, build_augment("standard", 16), seed=7, cache=cache)


def collect(dataset: ImageDataset, workers: int = 0, start_method: StartMethod | None = None) -> list[list[Batch]]:
    """Read three epochs in shuffled order and the table once."""
    loader = build_train_loader(dataset, batch_size=3, seed=1, workers=workers, start_method=start_method)
    return [list(loader.batches(epoch)) for epoch in range(3)]


def same(first: list[list[Batch]], second: list[list[Batch]]) -> bool:
    pairs = [pair for epochs in zip(first, second, strict=True) for pair in zip(*epochs, strict=True)]
    return all(torch.equal(one, other) for a, b in pairs for one, other in zip(a, b, strict=True))


@pytest.mark.parametrize("choice", ["memory", "disk"])
@pytest.mark.parametrize(("workers", "start_method"), [(0, None), (2, None), (1, "spawn")])
def test_batches_are_the_same_with_and_without(
    table: ImageTable,
    preprocess: Preprocess,
    arrays: ArrayCache,
    choice: CachePlace,
    workers: int,
    start_method: StartMethod | None,
) -> None:
    expected = collect(build_dataset(table, preprocess, None))
    cache = build_picture_cache(choice, table, preprocess, canvas_size=CANVAS, workers=workers, arrays=arrays)
    assert cache is not None
    assert same(collect(build_dataset(table, preprocess, cache), workers, start_method), expected)
    assert all(cache.get(row) is not None for row in range(len(table)))
    cache.close()
    assert arrays.info().files == (choice == "disk")


@pytest.mark.parametrize("choice", ["memory", "disk"])
@pytest.mark.parametrize("workers", [0, 1])
def test_every_file_is_decoded_once(
    table: ImageTable, preprocess: Preprocess, arrays: ArrayCache, choice: CachePlace, workers: int
) -> None:
    cache = build_picture_cache(choice, table, preprocess, canvas_size=CANVAS, workers=workers, arrays=arrays)
    loader = build_train_loader(build_dataset(table, preprocess, cache), batch_size=3, seed=1, workers=workers)
    first = list(loader.batches(0))
    for path in table.frame["path"]:
        Path(path).unlink()
    again = build_train_loader(build_dataset(table, preprocess, cache), batch_size=3, seed=1, workers=workers)
    assert same([list(again.batches(0))], [first])
    assert len(list(loader.batches(1))) == len(first)


@pytest.mark.parametrize("workers", [0, 1])
def test_file_of_an_earlier_run_is_used(
    table: ImageTable, preprocess: Preprocess, arrays: ArrayCache, workers: int
) -> None:
    def build() -> PictureCache:
        key = compute_cache_key(table, preprocess, canvas_size=CANVAS)
        return PictureCache.on_disk(arrays, key, len(table), CANVAS)

    expected = collect(build_dataset(table, preprocess, build()))
    assert arrays.info().files == 1
    for later in (build(), pickle.loads(pickle.dumps(build()))):
        assert arrays.info().files == 1
        assert later.get(6) is not None
        assert same(collect(build_dataset(table, preprocess, later), workers), expected)
        later.put(6, torch.zeros(3, CANVAS, CANVAS, dtype=torch.uint8))  # it is complete, and stays as it is
    assert same(collect(build_dataset(table, preprocess, build())), expected)


def test_file_that_is_not_full_leaves_nothing(table: ImageTable, preprocess: Preprocess, arrays: ArrayCache) -> None:
    cache = PictureCache.on_disk(arrays, "ab", len(table), CANVAS)
    next(build_train_loader(build_dataset(table, preprocess, cache), batch_size=3, seed=1).batches(0))
    assert len(list(arrays.folder.iterdir())) == 1
    cache.close()
    assert list(arrays.folder.iterdir()) == []
    cache.close()


def test_bad_picture_is_told_each_time_and_never_kept(
    table: ImageTable, preprocess: Preprocess, arrays: ArrayCache
) -> None:
    Path(table.frame["path"].iloc[2]).write_bytes(b"nothing")
    cache = PictureCache.on_disk(arrays, "ab", len(table), 16)
    dataset = ImageDataset(table, preprocess, cache=cache)
    for _ in range(2):
        with pytest.raises(BadImageError, match="not a picture"):
            dataset[SampleKey(0, 2)]
    loader = build_evaluation_loader(dataset, batch_size=4, collect_problems=True)
    assert sum(len(batch.rows) for batch in loader.batches()) == 6
    cache.close()
    assert arrays.info().files == 0


def test_what_is_done_to_an_image_does_not_reach_the_cache() -> None:
    cache = PictureCache.in_memory(2, 4, shared=False)
    assert cache.get(1) is None
    cache.put(1, torch.full((3, 4, 4), 9, dtype=torch.uint8))
    taken = cache.get(1)
    assert taken is not None
    taken.zero_()
    kept = cache.get(1)
    assert kept is not None
    assert (kept == 9).all()


def test_pictures_in_memory_are_not_kept_again(preprocess: Preprocess, tmp_path: Path) -> None:
    draw(1).save(tmp_path / "a.png")
    table = load_inputs([np.asarray(draw(0)), tmp_path / "a.png"])
    cache = PictureCache.in_memory(2, 16, shared=False)
    batches = list(build_evaluation_loader(ImageDataset(table, preprocess, cache=cache), batch_size=2).batches())
    assert torch.equal(batches[0].images[0], preprocess.fit_image(draw(0)))
    assert cache.get(0) is None
    assert cache.get(1) is not None


def test_memory_stays_flat(table: ImageTable, preprocess: Preprocess) -> None:
    """Filling changes no size, shared memory travels as a handle, and nothing is a Python object per picture."""
    cache = PictureCache.in_memory(len(table), CANVAS, shared=True)
    held = {name: id(value) for name, value in vars(cache).items()}
    collect(build_dataset(table, preprocess, cache), workers=2)
    assert {name: id(value) for name, value in vars(cache).items()} == held
    assert not [name for name, value in vars(cache).items() if isinstance(value, list | dict | tuple | set)]
    assert all(value.is_shared() for value in vars(cache).values() if isinstance(value, torch.Tensor))


def test_file_travels_to_a_spawned_process_by_its_path(arrays: ArrayCache) -> None:
    cache = PictureCache.on_disk(arrays, "ab", 3000, 8)
    content = pickle.dumps(cache)
    assert len(content) < 3000 + 2000  # the flags, which torch hands to a process as shared memory, and a path
    cache.close()
    gone = pickle.loads(content)
    gone.put(1, torch.zeros(3, 8, 8, dtype=torch.uint8))
    assert gone.get(1) is None


def touch(table: ImageTable) -> None:
    os.utime(table.frame["path"].iloc[3], ns=(0, 1))


def grow(table: ImageTable) -> None:
    path = Path(table.frame["path"].iloc[3])
    time_before = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(time_before, time_before))


def remove(table: ImageTable) -> None:
    Path(table.frame["path"].iloc[3]).unlink()


@pytest.mark.parametrize("change", [touch, grow, remove])
def test_changed_file_is_a_miss(
    table: ImageTable, preprocess: Preprocess, change: Callable[[ImageTable], None]
) -> None:
    before = compute_cache_key(table, preprocess, canvas_size=CANVAS)
    assert compute_cache_key(table, preprocess, canvas_size=CANVAS) == before
    change(table)
    assert compute_cache_key(table, preprocess, canvas_size=CANVAS) != before


def test_other_settings_are_a_miss(table: ImageTable, preprocess: Preprocess, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        compute_cache_key(table, preprocess, canvas_size=20),
        compute_cache_key(table, preprocess, canvas_size=21),
        compute_cache_key(table, preprocess, canvas_size=20, max_pixels=5),
        compute_cache_key(table, replace(preprocess, fit="pad"), canvas_size=20),
        compute_cache_key(table.take(np.arange(6)), preprocess, canvas_size=20),
        compute_cache_key(table.take(np.arange(7)[::-1]), preprocess, canvas_size=20),
    ]
    monkeypatch.setattr("PIL.__version__", "0.0")
    keys.append(compute_cache_key(table, preprocess, canvas_size=20))
    assert len(set(keys)) == len(keys)


def test_fingerprint_of_pictures_in_memory_is_that_of_their_pixels() -> None:
    images = np.zeros((3, 4, 4, 3), dtype=np.uint8)
    first = fingerprint_pictures(load_table((images, [0, 1, 0])))
    assert fingerprint_pictures(load_table((images.copy(), [0, 1, 1]))) == first
    assert fingerprint_pictures(load_table((images.reshape(3, 2, 8, 3), [0, 1, 0]))) != first
    images[2, 0, 0, 0] = 1
    assert fingerprint_pictures(load_table((images, [0, 1, 0]))) != first


def test_file_of_another_shape_is_a_miss(arrays: ArrayCache) -> None:
    with arrays.create("ab", (3, 3, 8, 8), np.uint8) as array:
        array[...] = 0
    for count, size in ((3, 9), (4, 8)):
        cache = PictureCache.on_disk(arrays, "ab", count, size)
        assert cache.get(0) is None
        cache.close()
    assert PictureCache.on_disk(arrays, "ab", 3, 8).get(0) is not None


def test_no_room_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"has no room for 100 pictures of 20 x 20 pixels.*set data.cache=off"):
        PictureCache.on_disk(ArrayCache(tmp_path, limit_bytes=100_000), "ab", 100, 20)
    monkeypatch.setattr(array_cache, "compute_free_bytes", lambda folder: 2**30)
    with pytest.raises(DataError, match="has no room"):
        PictureCache.on_disk(ArrayCache(tmp_path, limit_bytes=2**40), "ab", 100, 20)


def test_off_is_no_cache(table: ImageTable, preprocess: Preprocess, arrays: ArrayCache) -> None:
    assert build_picture_cache("off", table, preprocess, canvas_size=CANVAS, workers=0, arrays=arrays) is None
