"""One interpolation gives what torchvision's crop and rotation give one after the other."""

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from discern.data.reading.turned_crop import RandomTurnedCrop


def draw(height: int, width: int) -> Tensor:
    """A smooth picture."""
    small = torch.randint(0, 256, (3, 4, 5), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    return functional.resize(small, [height, width], antialias=True)


def cut_with(transform: RandomTurnedCrop, image: Tensor, seed: int) -> tuple[Tensor, dict[str, int], bool, float]:
    """Cut, and return which part it was, whether it was flipped and the angle in degrees."""
    torch.manual_seed(seed)
    cut = transform(image)
    torch.manual_seed(seed)
    part = v2.RandomResizedCrop(transform.size, scale=(0.5, 1.0)).make_params([image])
    flip, angle = torch.rand(2).tolist()
    return cut, part, flip >= 0.5, transform.degrees * (2 * angle - 1)


def test_without_an_angle_it_is_a_resized_crop() -> None:
    image, flips = draw(50, 40), set()
    for seed in range(12):
        cut, part, is_flipped, _ = cut_with(RandomTurnedCrop(32, scale=(0.5, 1.0), degrees=0), image, seed)
        expected = functional.resized_crop(image, **part, size=[32, 32], antialias=False)
        expected = functional.horizontal_flip(expected) if is_flipped else expected
        assert int((cut.int() - expected.int()).abs().max()) <= 1
        flips.add(is_flipped)
    assert flips == {True, False}


def test_the_part_is_turned_about_its_centre() -> None:
    image = draw(80, 80)
    for seed in range(12):
        cut, part, is_flipped, angle = cut_with(RandomTurnedCrop(80, scale=(0.5, 1.0), degrees=30), image, seed)
        centre = [part["left"] + part["width"] / 2, part["top"] + part["height"] / 2]
        turned = functional.rotate(image, angle, functional.InterpolationMode.BILINEAR, center=centre)
        expected = functional.resized_crop(turned, **part, size=[80, 80], antialias=False)
        expected = functional.horizontal_flip(expected) if is_flipped else expected
        # In the middle, where no corner has come from outside.
        middle = (slice(None), slice(25, 55), slice(25, 55))
        assert float((cut[middle].float() - expected[middle].float()).abs().mean()) < 1


def test_the_angle_stays_in_its_range() -> None:
    """A line through the middle is seen at every angle up to the largest."""
    image = torch.zeros(1, 101, 101, dtype=torch.uint8)
    image[:, :, 50] = 255
    transform = RandomTurnedCrop(101, scale=(1.0, 1.0), degrees=10)
    slopes = []
    for seed in range(200):
        torch.manual_seed(seed)
        cut = transform(image)[0].float()
        ends = [float((cut[row] * torch.arange(101)).sum() / cut[row].sum()) for row in (10, 90)]
        slopes.append((ends[1] - ends[0]) / 80)
    angles = torch.tensor(slopes).atan().rad2deg()
    assert float(angles.abs().max()) < 10.3
    assert float(angles.max()) > 9
    assert float(angles.min()) < -9
    assert abs(float(angles.mean())) < 1.5
