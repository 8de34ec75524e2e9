import pickle
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from discern.data.reading.augment import AUGMENTATIONS, build_augment, check_policy, register_augmentation
from discern.data.reading.dataset import ImageDataset, SampleKey
from discern.data.reading.preprocess import Preprocess
from discern.data.sources.load import load_table
from discern.errors import ConfigError

Policy = str | Sequence[Mapping[str, object]] | Callable[[Tensor], Tensor]
OWN: Policy = [{"name": "RandomHorizontalFlip", "p": 1.0}, {"name": "RandomRotation", "degrees": 20}]


def own_function(image: Tensor) -> Tensor:
    """Turn some pictures upside down, by torch's random numbers."""
    return image.flip(-2).roll(int(torch.randint(5, ())), -1)


def canvas(size: int) -> Tensor:
    return torch.arange(3 * size * size).remainder(251).to(torch.uint8).view(3, size, size)


@pytest.mark.parametrize("image_size", [7, 32, 64, 225])
@pytest.mark.parametrize("policy", [*AUGMENTATIONS, OWN, own_function])
def test_every_policy_gives_uint8_images_of_the_size(policy: Policy, image_size: int) -> None:
    augment = build_augment(policy, image_size)
    for _ in range(10):
        image = augment(canvas(augment.canvas_size))
        assert image.dtype == torch.uint8
        assert image.shape == (3, image_size, image_size)


@pytest.mark.parametrize("policy", [*AUGMENTATIONS, OWN, own_function])
def test_pickled_policy_does_the_same(policy: Policy) -> None:
    augment = build_augment(policy, 32)
    again = pickle.loads(pickle.dumps(augment))
    results = []
    for each in (augment, again, augment):
        torch.manual_seed(5)
        results.append(each(canvas(augment.canvas_size)))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize(
    ("policy", "canvas_size"), [("none", 64), ("shift", 64), ("flip-rotate", 64), ("light", 80), ("standard", 80)]
)
def test_policies_that_crop_start_from_a_larger_canvas(policy: str, canvas_size: int) -> None:
    assert build_augment(policy, 64).canvas_size == canvas_size


def test_none_changes_nothing() -> None:
    assert torch.equal(build_augment("none", 32)(canvas(32)), canvas(32))


@pytest.mark.parametrize("policy", ["shift", "light", "standard", "flip-rotate"])
def test_random_policies_vary(policy: str) -> None:
    augment = build_augment(policy, 32)
    different = {augment(canvas(augment.canvas_size)).numpy().tobytes() for _ in range(12)}
    assert len(different) > 6


@pytest.mark.parametrize("policy", ["shift", "light", "flip-rotate"])
def test_no_black_corners(policy: str) -> None:
    """A white picture stays white: what a rotation uncovers is the picture mirrored."""
    augment = build_augment(policy, 33)
    white = torch.full((3, augment.canvas_size, augment.canvas_size), 255, dtype=torch.uint8)
    assert all(int(augment(white).min()) >= 254 for _ in range(40))


def test_a_shift_moves_whole_pixels() -> None:
    augment = build_augment("shift", 32)
    picture = torch.randint(256, (3, 32, 32), dtype=torch.uint8)
    offsets = set()
    for _ in range(60):
        moved = augment(picture)
        # The middle is found again somewhere, as it is or mirrored.
        found = [
            (row, column, flipped)
            for row in range(7)
            for column in range(7)
            for flipped, whole in enumerate((picture, picture.flip(-1)))
            if torch.equal(moved[:, 3:-3, 3:-3], whole[:, row : row + 26, column : column + 26])
        ]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) > 20


def test_own_rotation_fills_with_grey_unless_told_otherwise() -> None:
    white = torch.full((3, 32, 32), 255, dtype=torch.uint8)
    assert int(build_augment([{"name": "RandomRotation", "degrees": (45, 45)}], 32)(white).min()) == 116
    black = build_augment([{"name": "RandomRotation", "degrees": (45, 45), "fill": 0}], 32)
    assert int(black(white).min()) == 0


def test_own_crop_takes_the_size_of_the_images() -> None:
    augment = build_augment([{"name": "RandomResizedCrop", "scale": [0.5, 1.0]}], 40)
    assert augment.canvas_size == 50
    assert augment(canvas(50)).shape == (3, 40, 40)


def test_own_crop_that_pads_moves_the_picture_at_its_size() -> None:
    augment = build_augment([{"name": "RandomCrop", "padding": 4}], 40)
    assert augment.canvas_size == 40
    assert augment(canvas(40)).shape == (3, 40, 40)


def test_own_transforms_do_what_they_say() -> None:
    augment = build_augment([{"name": "RandomHorizontalFlip", "p": 1.0}], 16)
    assert torch.equal(augment(canvas(16)), canvas(16).flip(-1))


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            "lite",
            "no augmentation policy 'lite': did you mean light.*there are none, shift, flip-rotate, light, standard",
        ),
        (
            [{"name": "RandomHorizontalFlp"}],
            "Unknown transform 'RandomHorizontalFlp' .*; the nearest are RandomHorizontalFlip",
        ),
        ([{"p": 0.5}], "Unknown transform None .*Each entry needs a `name`"),
        ([{"name": "RandomRotation"}], "arguments of RandomRotation .* 'degrees'. It takes degrees, interpolation"),
        ([{"name": "RandomRotation", "degrees": 20, "p": 1}], "unexpected keyword argument 'p'"),
        ([{"name": "ColorJitter", "hue": 3}], "arguments of ColorJitter .* do not fit"),
        (
            [{"name": "ToDtype", "dtype": torch.float32}],
            r"gives torch.float32 of shape \(3, 32, 32\); expected torch.uint8",
        ),
        (
            [{"name": "Resize", "size": [20, 20]}],
            r"of shape \(3, 20, 20\); expected torch.uint8 of shape \(3, 32, 32\)",
        ),
        ([{"name": "Normalize", "mean": [0.5], "std": [0.5]}], "The augmentation fails on a picture"),
    ],
)
def test_policies_that_do_not_fit(policy: Policy, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_augment(policy, 32)


def test_building_leaves_the_random_numbers_alone() -> None:
    state = torch.get_rng_state()
    build_augment("standard", 32)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("policy", [*AUGMENTATIONS, OWN, own_function])
def test_a_picture_depends_on_seed_epoch_and_row_alone(policy: Policy, preprocess: Preprocess) -> None:
    images = np.random.default_rng(0).integers(0, 255, (6, 16, 16, 3), dtype=np.uint8)
    table = load_table((images, [0, 1] * 3))
    dataset = ImageDataset(table, preprocess, build_augment(policy, 16), seed=3)
    again = pickle.loads(pickle.dumps(dataset))
    keys = [SampleKey(epoch, row) for epoch in range(4) for row in range(6)]
    first = {key: dataset[key].image for key in keys}
    assert all(torch.equal(again[key].image, first[key]) for key in reversed(keys))
    # Half of the pictures are mirrored, so that of one of them all epochs may be equal, but not of all six.
    changes = any(not torch.equal(first[SampleKey(0, row)], first[SampleKey(1, row)]) for row in range(6))
    assert changes == (policy != "none")


def test_a_policy_of_the_users_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AUGMENTATIONS, "_entries", dict(AUGMENTATIONS))

    @register_augmentation("upside-down")
    def upside_down(image_size: int) -> list[Callable[[Tensor], Tensor] | Mapping[str, object]]:
        return [{"name": "Resize", "size": image_size}, v2.RandomVerticalFlip(1.0), own_function]

    check_policy("upside-down")
    torch.manual_seed(0)
    changed = build_augment("upside-down", 32)(canvas(32))
    torch.manual_seed(0)
    assert torch.equal(changed, own_function(canvas(32).flip(-2)))


def test_transforms_of_torchvision_are_a_policy() -> None:
    augment = build_augment(v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()]), 32)
    assert augment.canvas_size == 32
    assert augment(canvas(32)).shape == (3, 32, 32)
    assert pickle.loads(pickle.dumps(augment)).image_size == 32


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: image.float() / 255, r"gives torch.float32 of shape \(3, 32, 32\); expected torch.uint8"),
        (lambda image: image[:, ::2], r"gives torch.uint8 of shape \(3, 16, 32\); expected .* \(3, 32, 32\)"),
        (lambda image: image.numpy(), r"gives ndarray; expected torch.uint8 of shape \(3, 32, 32\)"),
        (lambda image: image.convert("L"), r"fails on a picture: AttributeError: .*It is given uint8 \(3, 32, 32\)"),
        (lambda: None, r"fails on a picture: TypeError: .* takes 0 positional arguments"),
    ],
)
def test_functions_that_do_not_fit(function: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_augment(function, 32)
    with pytest.raises(ConfigError, match=r"expected torch.uint8|fails on a picture"):
        check_policy(function)
