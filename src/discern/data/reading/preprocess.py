"""What every picture goes through before the network, in training and in use; saved in the bundle."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal, NamedTuple, Self, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from discern.errors import BundleError

Fit = Literal["crop", "pad", "squash"]
INTERPOLATION = "bilinear"

_DETAIL = 2
"""How much larger than in the square a picture is decoded, at least, so that its own resizing decides how it looks."""

_SIZE_STEP, _SMALL_SIZE_STEP = 32, 4


class Placement(NamedTuple):
    """Which part of a picture goes where in the square; both boxes are left, top, right and bottom, in pixels."""

    seen: tuple[float, float, float, float]
    target: tuple[int, int, int, int]


@dataclass(frozen=True)
class Preprocess:
    """A picture fitted to a square of `image_size` pixels, then normalised with `mean` and `std` (of values 0..1).

    `crop` cuts the central square, `pad` keeps all and fills the rest with the mean colour (0 after normalising),
    `squash` keeps all and changes the proportions. Resizing is bilinear and antialiased. `depth_range` are the values
    that become black and white in pictures of more than 8 bits when they are decoded; None for the rules of decoding.
    """

    image_size: int
    fit: Fit
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    depth_range: tuple[float, float] | None = None

    def fit_image(self, image: Image.Image, *, size: int | None = None) -> Tensor:
        """Fit an RGB picture to a square uint8 tensor (3, S, S); S is `size`, or `image_size`."""
        side = self.image_size if size is None else size
        seen, (left, top, right, bottom) = self.place(*image.size, size=side)
        fitted = image.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=seen)
        if fitted.size != (side, side):
            red, green, blue = (round(value * 255) for value in self.mean)
            canvas = Image.new("RGB", (side, side), (red, green, blue))
            canvas.paste(fitted, (left, top))
            fitted = canvas
        return torch.from_numpy(np.array(fitted).transpose(2, 0, 1).copy())

    def place(self, width: int, height: int, *, size: int | None = None) -> Placement:
        """Return which part of an upright picture of this size `fit_image` takes, and where it puts it."""
        side = self.image_size if size is None else size
        if self.fit == "crop":
            shorter = min(width, height)
            left, top = (width - shorter) / 2, (height - shorter) / 2
            return Placement((left, top, left + shorter, top + shorter), (0, 0, side, side))
        target_width, target_height = _inside(width, height, side) if self.fit == "pad" else (side, side)
        left, top = (side - target_width) // 2, (side - target_height) // 2
        return Placement((0, 0, width, height), (left, top, left + target_width, top + target_height))

    def needed_size(self, width: int, height: int, *, size: int | None = None) -> tuple[int, int]:
        """Return width and height from which on an upright picture of this size has enough detail for `fit_image`."""
        left, top, right, bottom = self.place(width, height, size=size).target
        return _DETAIL * (right - left), _DETAIL * (bottom - top)

    def normalize(self, images: Tensor) -> Tensor:
        """Turn uint8 images (N, 3, H, W) into float32, (value / 255 - mean) / std, on the device they are on."""
        mean = torch.tensor(self.mean, device=images.device).view(3, 1, 1) * 255
        std = torch.tensor(self.std, device=images.device).view(3, 1, 1) * 255
        return images.to(torch.float32).sub_(mean).div_(std)

    def to_dict(self) -> dict[str, object]:
        """Return what `from_dict` needs, for JSON."""
        depth_range = None if self.depth_range is None else list(self.depth_range)
        changed = {"mean": list(self.mean), "std": list(self.std), "depth_range": depth_range}
        return {**asdict(self), **changed, "interpolation": INTERPOLATION}

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> Self:
        """Rebuild what `to_dict` wrote.

        Raises:
            BundleError: A key is missing or unknown, or a value is not understood.
        """
        known = {field.name for field in fields(cls)} | {"interpolation"}
        if set(content) | {"depth_range"} != known:
            raise BundleError(
                f"The preprocessing has the settings {sorted(content)}; this version understands {sorted(known)}. "
                "Use the version of discern that wrote the bundle."
            )
        size, fit = content["image_size"], content["fit"]
        if content["interpolation"] != INTERPOLATION:
            raise BundleError(
                f"The preprocessing resizes by {content['interpolation']!r}; only {INTERPOLATION!r} is known."
            )
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise BundleError(f"The preprocessing has image_size {size!r}; expected a number of pixels.")
        for name in get_args(Fit):
            if fit == name:
                return cls(size, name, _three(content, "mean"), _three(content, "std"), _read_range(content))
        raise BundleError(f"The preprocessing fits pictures by {fit!r}; known are {', '.join(get_args(Fit))}.")


def scale_size(image_size: int, scale: float) -> int:
    """Return a side in pixels times `scale`: a multiple of 32, by which networks halve five times, or else of 4."""
    step = _SIZE_STEP if image_size >= 3 * _SIZE_STEP else _SMALL_SIZE_STEP
    return image_size if scale == 1 else min(image_size, max(step, step * round(image_size * scale / step)))


def _inside(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the largest size of these proportions within a square."""
    scale = side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _read_range(content: Mapping[str, object]) -> tuple[float, float] | None:
    found = content.get("depth_range")
    match found:
        case None:
            return None
        case [int() | float() as low, int() | float() as high] if -math.inf < low < high < math.inf:
            return float(low), float(high)
    raise BundleError(f"The preprocessing has depth_range {found!r}; expected two numbers, the lower one first.")


def _three(content: Mapping[str, object], name: str) -> tuple[float, float, float]:
    values = content[name]
    if isinstance(values, (list, tuple)) and all(isinstance(value, (int, float)) for value in values):
        numbers = tuple(float(value) for value in values)
        if len(numbers) == 3:
            return numbers
    raise BundleError(f"The preprocessing has {name} {values!r}; expected three numbers.")
