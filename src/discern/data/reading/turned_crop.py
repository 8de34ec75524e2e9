"""A random crop that is flipped and rotated in the same step."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class RandomTurnedCrop(nn.Module):
    """Cuts a random part out of a picture, flips it half of the time, rotates it and resizes it to a square.

    All of it is one bilinear interpolation: the picture is sharper than after one for the size and another for the
    angle, and takes half the time. Where a rotated corner lies outside, the picture is continued mirrored.

    Args:
        size: Side of the result in pixels.
        scale: Smallest and largest share of the picture's area. There is no smoothing before it is made smaller, so
            the picture should not be much larger than the result.
        degrees: Largest angle, in both directions.
    """

    def __init__(self, size: int, *, scale: tuple[float, float], degrees: float) -> None:
        # Imported here since it takes a second, which predicting need not wait for.
        from torchvision.transforms import v2

        super().__init__()
        self.size = size
        self.degrees = degrees
        self._crop = v2.RandomResizedCrop(size, scale=scale)

    def forward(self, image: Tensor) -> Tensor:
        """Map an image uint8 (C, H, W) to one (C, S, S)."""
        height, width = image.shape[-2:]
        part = self._crop.make_params([image])
        flip, angle = torch.rand(2).tolist()
        turned = _place(
            width=part["width"] * (1 if flip < 0.5 else -1),
            height=part["height"],
            radians=math.radians(self.degrees) * (2 * angle - 1),
        )
        # In units of half the picture, from its centre, as `affine_grid` counts.
        half = torch.tensor([[width / 2], [height / 2]])
        centre = torch.tensor([[part["left"] + part["width"] / 2], [part["top"] + part["height"] / 2]])
        matrix = torch.cat([turned / half, centre / half - 1], dim=1)[None]
        grid = functional.affine_grid(matrix, [1, 1, self.size, self.size], align_corners=False)
        cut = functional.grid_sample(image[None].float(), grid, padding_mode="reflection", align_corners=False)
        return cut[0].round_().to(torch.uint8)


def _place(*, width: float, height: float, radians: float) -> Tensor:
    """Return what maps the square of -1 to 1 to a turned rectangle, in pixels (2, 2)."""
    cosine, sine = math.cos(radians), math.sin(radians)
    return torch.tensor([[cosine * width, -sine * height], [sine * width, cosine * height]]) / 2
