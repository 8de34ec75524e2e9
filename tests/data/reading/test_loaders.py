import itertools
import pickle
import pickletools
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from data_pictures import MakeFolder, draw
from discern.data.reading import loaders
from discern.data.reading.augment import build_augment
from discern.data.reading.dataset import ImageDataset, SampleKey, decode_row
from discern.data.reading.loaders import Batch, StartMethod, build_evaluation_loader, build_train_loader, choose_workers
from discern.data.reading.preprocess import Preprocess
from discern.data.sources.load import load_inputs, load_table
from discern.errors import BadImageError, ConfigError, DataError, ImageProblem


@pytest.fixture
def dataset(make_folder: MakeFolder, preprocess: Preprocess) -> ImageDataset:
    """Seven pictures, augmented."""
    table = load_table(make_folder({"ants": 4, "bees": 3}))
    return ImageDataset(table, preprocess, build_augment("standard", 16), seed=7)


def build_array_dataset(targets: list[int], preprocess: Preprocess) -> ImageDataset:
    """Pictures of one grey each, by their rows."""
    images = np.repeat(np.arange(len(targets)).astype(np.uint8), 4 * 4 * 3).reshape(-1, 4, 4, 3)
    return ImageDataset(load_table((images, targets)), preprocess)


def same(first: list[Batch], second: list[Batch]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(one, other) for a, b in pairs for one, other in zip(a, b, strict=True))


def test_sample_of_a_file(dataset: ImageDataset) -> None:
    image, target, row = dataset[SampleKey(epoch=0, row=5)]
    assert image.shape == (3, 16, 16)
    assert image.dtype == torch.uint8
    assert (target, row) == (1, 5)


def test_augmentation_depends_on_seed_epoch_and_row_only(dataset: ImageDataset) -> None:
    key = SampleKey(epoch=2, row=3)
    first = dataset[key].image
    torch.manual_seed(99)
    dataset[SampleKey(epoch=2, row=4)]
    assert torch.equal(dataset[key].image, first)
    assert not torch.equal(dataset[SampleKey(epoch=3, row=3)].image, first)
    dataset.seed = 8
    assert not torch.equal(dataset[key].image, first)


def test_reading_leaves_the_random_numbers_alone(dataset: ImageDataset) -> None:
    state = torch.get_rng_state()
    list(build_train_loader(dataset, batch_size=2, seed=0).batches(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_without_augmentation_the_image_is_the_preprocessed_picture(preprocess: Preprocess, tmp_path: Path) -> None:
    names = ["a.png", "a much longer näme.png", "c.png"]
    for number, name in enumerate(names):
        draw(number).save(tmp_path / name)
    table = load_inputs([tmp_path / name for name in names])
    dataset = ImageDataset(table, preprocess)
    for number in range(3):
        assert torch.equal(dataset[SampleKey(0, number)].image, preprocess.fit_image(draw(number)))
        assert dataset[SampleKey(0, number)].target == -1


def test_pictures_in_memory_and_files_together(preprocess: Preprocess, tmp_path: Path) -> None:
    draw(1).save(tmp_path / "a.png")
    table = load_inputs([draw(0, size=(9, 9)), tmp_path / "a.png", np.asarray(draw(2))])
    batches = list(build_evaluation_loader(ImageDataset(table, preprocess), batch_size=8).batches())
    expected = [draw(0, size=(9, 9)), draw(1), draw(2)]
    assert torch.equal(batches[0].images, torch.stack([preprocess.fit_image(image) for image in expected]))
    for row, image in enumerate(expected):
        assert np.array_equal(decode_row(table, row), image)
    assert np.array_equal(decode_row(table.take(np.array([1, 2])), 1), draw(2))


def test_row_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    table = load_inputs([tmp_path / "a.png", np.asarray(draw(0))])
    with pytest.raises(BadImageError, match=r"a.png: not a picture of a supported type"):
        decode_row(table, 0)
    with pytest.raises(BadImageError, match=r"picture 0 in memory: 24 x 20 is more than the limit of 9 pixels"):
        decode_row(table, 1, max_pixels=9)


def test_nothing_in_the_dataset_is_a_python_object_per_picture(preprocess: Preprocess) -> None:
    def held(count: int) -> ImageDataset:
        table = load_table((np.zeros((count, 1, 1, 3), dtype=np.uint8), np.arange(count) % 2))
        table.frame["path"] = [f"folder/{number}.jpg" for number in range(count)]
        table.frame["array_index"] = -1
        return ImageDataset(table, preprocess)

    large = held(3000)
    assert not [name for name, value in vars(large).items() if isinstance(value, list | dict | tuple | set)]
    few, many = (sum(1 for _ in pickletools.genops(pickle.dumps(held(size)))) for size in (10, 3000))
    assert abs(many - few) < 10
    assert len(pickle.dumps(large)) < 3000 * (8 + 8 + 8 + len("folder/1234.jpg") + 3) + 10_000


@pytest.mark.parametrize(("workers", "start_method"), [(1, None), (2, None), (1, "spawn")])
def test_loader_processes_change_nothing(dataset: ImageDataset, workers: int, start_method: StartMethod | None) -> None:
    alone = build_train_loader(dataset, batch_size=3, seed=1)
    loader = build_train_loader(dataset, batch_size=3, seed=1, workers=workers, start_method=start_method)
    for epoch in (0, 1):
        assert same(list(loader.batches(epoch)), list(alone.batches(epoch)))


def test_order_depends_on_seed_and_epoch_only(dataset: ImageDataset) -> None:
    loader = build_train_loader(dataset, batch_size=3, seed=1)
    first = list(loader.batches(4))
    list(loader.batches(5))
    assert same(list(loader.batches(4)), first)
    assert same(list(build_train_loader(dataset, batch_size=3, seed=1).batches(4)), first)
    assert not same(list(loader.batches(5)), first)
    assert not same(list(build_train_loader(dataset, batch_size=3, seed=2).batches(4)), first)


def test_epoch_left_in_the_middle_does_not_spoil_the_next(dataset: ImageDataset) -> None:
    loader = build_train_loader(dataset, batch_size=2, seed=1, workers=2)
    expected = list(build_train_loader(dataset, batch_size=2, seed=1).batches(1))
    next(loader.batches(0))
    assert same(list(loader.batches(1)), expected)


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [(6, 3, [3, 3]), (7, 3, [3, 4]), (8, 3, [3, 3, 2]), (1, 3, [1]), (3, 1, [1, 1, 1]), (4, 3, [4]), (2, 9, [2])],
)
def test_last_picture_joins_the_batch_before(
    count: int, batch_size: int, sizes: list[int], preprocess: Preprocess
) -> None:
    loader = build_train_loader(build_array_dataset([0, 1] * count, preprocess), batch_size=batch_size, seed=0)
    assert loader.num_images == 2 * count
    loader = build_train_loader(build_array_dataset([0] * count, preprocess), batch_size=batch_size, seed=0)
    batches = list(loader.batches(0))
    assert [len(batch.images) for batch in batches] == sizes
    assert len(loader) == len(sizes)
    assert sorted(torch.cat([batch.rows for batch in batches]).tolist()) == list(range(count))


def test_evaluation_reads_every_picture_once_and_in_order(preprocess: Preprocess) -> None:
    dataset = build_array_dataset([1, 0, 2, 1, 0, 2, 1], preprocess)
    loader = build_evaluation_loader(dataset, batch_size=3, workers=2)
    for _ in range(2):
        batches = list(loader.batches())
        assert [len(batch.images) for batch in batches] == [3, 3, 1]
        assert torch.cat([batch.rows for batch in batches]).tolist() == list(range(7))
        assert torch.cat([batch.targets for batch in batches]).tolist() == [1, 0, 2, 1, 0, 2, 1]
        assert batches[0].targets.dtype == batches[0].rows.dtype == torch.int64
    assert len(loader) == 3
    assert loader.num_images == 7


def test_class_balanced_sampling_makes_classes_equally_likely(preprocess: Preprocess) -> None:
    dataset = build_array_dataset([0] * 900 + [1] * 90 + [2] * 10, preprocess)
    loader = build_train_loader(dataset, batch_size=500, seed=0, class_balanced=True)
    targets = torch.cat([batch.targets for epoch in range(3) for batch in loader.batches(epoch)])
    assert len(targets) == 3000
    counts = Counter(targets.tolist())
    assert all(abs(counts[target] - 1000) < 5 * np.sqrt(3000 * 1 / 3 * 2 / 3) for target in range(3))


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_picture_reaches_the_caller_with_its_name(
    make_folder: MakeFolder, preprocess: Preprocess, workers: int
) -> None:
    root = make_folder({"ants": 3, "bees": 3})
    (root / "bees" / "2.png").write_bytes(b"nothing")
    loader = build_evaluation_loader(ImageDataset(load_table(root), preprocess), batch_size=2, workers=workers)
    with pytest.raises(BadImageError, match="not a picture of a supported type") as error:
        list(loader.batches())
    assert error.value.path == str(root / "bees" / "2.png")


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_pictures_are_left_out_and_told_where_problems_are_collected(
    make_folder: MakeFolder, preprocess: Preprocess, workers: int
) -> None:
    root = make_folder({"ants": 4, "bees": 3})
    table = load_table(root)
    for bad in ("ants/2.png", "ants/3.png", "ants/4.png"):
        (root / bad).write_bytes(b"nothing")
    (root / "bees" / "2.png").unlink()
    dataset = ImageDataset(table, preprocess)
    loader = build_evaluation_loader(dataset, batch_size=2, workers=workers, collect_problems=True)
    for _ in range(2):
        batches = list(loader.batches())
        assert [batch.rows.tolist() for batch in batches] == [[0], [4], [6]]  # ants 3 and 4 were a whole batch
        assert [batch.targets.tolist() for batch in batches] == [[0], [1], [1]]
        assert all(torch.equal(batch.images[0], dataset[SampleKey(0, int(batch.rows))].image) for batch in batches)
        assert [row for row, _ in loader.problems()] == [1, 2, 3, 5]
    assert loader.problems()[-1] == (5, ImageProblem(str(root / "bees" / "2.png"), "no such file"))
    assert "not a picture of a supported type" in loader.problems()[0][1].reason


def test_nothing_but_bad_pictures_gives_no_batch(tmp_path: Path, preprocess: Preprocess) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    dataset = ImageDataset(load_inputs([tmp_path / "a.png"]), preprocess)
    loader = build_evaluation_loader(dataset, batch_size=2, collect_problems=True)
    assert list(loader.batches()) == []
    assert [row for row, _ in loader.problems()] == [0]


def test_more_processes_than_cores_are_nobody_elses_business(preprocess: Preprocess) -> None:
    """Torch's warning would fail this test."""
    loader = build_evaluation_loader(build_array_dataset([0, 1], preprocess), batch_size=1, workers=1000)
    assert len(loader) == 2


def test_size_limit_holds_while_loading(make_folder: MakeFolder, preprocess: Preprocess) -> None:
    table = load_table(make_folder({"ants": 1, "bees": 1}))
    with pytest.raises(BadImageError, match="more than the limit of 100 pixels"):
        ImageDataset(table, preprocess, max_pixels=100)[SampleKey(0, 0)]


@pytest.mark.parametrize(
    ("cores", "num_images", "device_type", "expected"),
    [
        (2, 1000, "cpu", 0),
        (2, 5000, "cpu", 1),
        (1, 5000, "cpu", 0),
        (8, 1000, "cpu", 2),
        (64, 9000, "cpu", 4),
        (64, 255, "cuda", 0),
        (2, 1000, "cuda", 1),
        (64, 1000, "cuda", 16),
    ],
)
def test_automatic_number_of_workers(
    monkeypatch: pytest.MonkeyPatch, cores: int, num_images: int, device_type: str, expected: int
) -> None:
    monkeypatch.setattr(loaders, "count_cores", lambda: cores)
    monkeypatch.setattr(loaders, "_shared_memory_is_small", lambda: False)
    assert choose_workers("auto", num_images, device_type) == expected
    assert choose_workers(3, num_images, device_type) == 3


def test_small_shared_memory_means_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "count_cores", lambda: 16)
    monkeypatch.setattr(loaders, "_shared_memory_is_small", lambda: True)
    assert choose_workers("auto", 10_000, "cuda") == 0


def test_negative_number_of_workers() -> None:
    with pytest.raises(ConfigError, match="workers is -1; expected 0 or more, or 'auto'"):
        choose_workers(-1, 10, "cpu")


def test_training_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaders, "count_cores", lambda: 16)
    monkeypatch.setattr(loaders, "_shared_memory_is_small", lambda: False)
    assert [choose_workers("auto", 9000, "cuda", num_ranks=ranks) for ranks in (1, 2, 4, 32)] == [15, 7, 3, 1]
    assert [choose_workers("auto", 9000, "cpu", num_ranks=ranks) for ranks in (1, 2, 8, 32)] == [4, 2, 1, 0]
    assert choose_workers(3, 9000, "cuda", num_ranks=8) == 3


@pytest.mark.parametrize("num_ranks", [2, 3])
@pytest.mark.parametrize("class_balanced", [False, True])
def test_ranks_together_read_the_batches_of_one_process(
    preprocess: Preprocess, num_ranks: int, class_balanced: bool
) -> None:
    dataset = build_array_dataset([0, 1] * 10, preprocess)
    alone = build_train_loader(dataset, batch_size=7, seed=1, class_balanced=class_balanced)
    ranked = [
        build_train_loader(dataset, batch_size=7, seed=1, class_balanced=class_balanced, rank=rank, num_ranks=num_ranks)
        for rank in range(num_ranks)
    ]
    assert {len(loader) for loader in ranked} == {len(alone)}
    assert {loader.num_images for loader in ranked} == {20}
    for epoch in (0, 1):
        parts = [list(loader.batches(epoch)) for loader in ranked]
        for whole, *shares in zip(alone.batches(epoch), *parts, strict=True):
            for rank, share in enumerate(shares):
                assert torch.equal(share.rows, whole.rows[rank::num_ranks])
                assert torch.equal(share.images, whole.images[rank::num_ranks])
                assert torch.equal(share.targets, whole.targets[rank::num_ranks])


def test_augmentation_does_not_depend_on_ranks(dataset: ImageDataset) -> None:
    whole = torch.cat([batch.images for batch in build_train_loader(dataset, batch_size=4, seed=1).batches(2)])
    rows = torch.cat([batch.rows for batch in build_train_loader(dataset, batch_size=4, seed=1).batches(2)]).tolist()
    for rank in range(2):
        for batch in build_train_loader(dataset, batch_size=4, seed=1, rank=rank, num_ranks=2).batches(2):
            for row, image in zip(batch.rows.tolist(), batch.images, strict=True):
                assert torch.equal(image, whole[rows.index(row)])


@pytest.mark.parametrize("count", [4, 7, 8, 9, 23, 24, 25])
@pytest.mark.parametrize("batch_size", [4, 5, 8, 100])
@pytest.mark.parametrize("num_ranks", [1, 2])
def test_every_rank_has_two_pictures_or_more_in_each_batch(
    count: int, batch_size: int, num_ranks: int, preprocess: Preprocess
) -> None:
    dataset = build_array_dataset([0] * count, preprocess)
    batches = [
        list(build_train_loader(dataset, batch_size=batch_size, seed=0, rank=rank, num_ranks=num_ranks).batches(0))
        for rank in range(num_ranks)
    ]
    sizes = [[len(batch.rows) for batch in own] for own in batches]
    assert len({len(own) for own in sizes}) == 1
    assert min(itertools.chain(*sizes)) >= 2
    assert max(abs(a - b) for a, b in zip(sizes[0], sizes[-1], strict=True)) <= 1
    assert sorted(int(row) for own in batches for batch in own for row in batch.rows) == list(range(count))


def test_too_few_pictures_for_the_ranks(preprocess: Preprocess) -> None:
    message = (
        "7 pictures to train on are too few for 4 processes, of which each needs two for a batch. Start at most 3."
    )
    with pytest.raises(DataError, match=message):
        build_train_loader(build_array_dataset([0] * 7, preprocess), batch_size=8, seed=0, num_ranks=4)
    message = (
        "A batch of 7 pictures is too small for 4 processes, of which each needs two. Set training.batch_size to 8"
    )
    with pytest.raises(ConfigError, match=message):
        build_train_loader(build_array_dataset([0] * 9, preprocess), batch_size=7, seed=0, num_ranks=4)


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 6, 7, 13])
def test_ranks_together_evaluate_every_picture_once(count: int, num_ranks: int, preprocess: Preprocess) -> None:
    dataset = build_array_dataset([0] * count, preprocess)
    ranked = [
        build_evaluation_loader(dataset, batch_size=3, rank=rank, num_ranks=num_ranks) for rank in range(num_ranks)
    ]
    rows = [[batch.rows.tolist() for batch in loader.batches()] for loader in ranked]
    assert [len(loader) for loader in ranked] == [len(own) for own in rows]
    assert {loader.num_rounds for loader in ranked} == {len(rows[0])} == {max(len(own) for own in rows)}
    assert {loader.num_images for loader in ranked} == {count}
    in_turn = [batch for turn in itertools.zip_longest(*rows) for batch in turn if batch is not None]
    assert list(itertools.chain(*in_turn)) == list(range(count))


def test_problems_are_those_of_the_rank(make_folder: MakeFolder, preprocess: Preprocess) -> None:
    root = make_folder({"ants": 4, "bees": 3})
    table = load_table(root)
    for bad in ("ants/2.png", "bees/1.png", "bees/3.png"):
        (root / bad).write_bytes(b"nothing")
    found = []
    for rank in range(2):
        loader = build_evaluation_loader(
            ImageDataset(table, preprocess), batch_size=2, collect_problems=True, rank=rank, num_ranks=2
        )
        list(loader.batches())
        found.append([row for row, _ in loader.problems()])
    assert found == [[1, 4], [6]]


def test_evaluation_of_augmented_pictures_differs_by_epoch_only(dataset: ImageDataset) -> None:
    loader = build_evaluation_loader(dataset, batch_size=3)
    assert loader.image_size == 16
    first = list(loader.batches())
    assert same(list(loader.batches(0)), first)
    assert not same(list(loader.batches(1)), first)
    assert torch.equal(next(loader.batches(1)).images[0], dataset[SampleKey(1, 0)].image)


@pytest.mark.parametrize("workers", [0, 1])
def test_waiting_is_counted_and_work_between_batches_is_not(
    dataset: ImageDataset, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """A clock that goes on by 1 each time it is looked at, and by 100 while the consumer works."""
    clock = itertools.count()
    late = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock) + late)
    for loader in (
        build_train_loader(dataset, batch_size=3, seed=1, workers=workers),
        build_evaluation_loader(dataset, batch_size=3, workers=workers),
    ):
        assert loader.waiting_seconds == 0
        for _ in range(2):
            for _ in loader.batches(0):
                late += 100
            assert len(loader) <= loader.waiting_seconds < 100
        loader.batches(0)
        assert loader.waiting_seconds == 0
