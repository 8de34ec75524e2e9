"""Pillow's antialiased bilinear resizing as two matrix products, so that a graph of any runtime can do it.

Each pass is a product with a matrix that is computed from the size of the picture while the graph runs. All that Pillow
does is done alike: weights in double precision, rounded to 22 bits; pixels rounded to whole levels after each pass.
Source: `precompute_coeffs`, `normalize_coeffs_8bpc` and `ImagingResampleHorizontal_8bpc` of Pillow's Resample.c.
"""

from typing import NamedTuple

import torch
from torch import Tensor

_HIGH_BITS = 11
_WEIGHT_BITS = 22


class Axis(NamedTuple):
    """How one axis of a picture is laid on one axis of the square; tensors are 0-d, of whole numbers in float64.

    `length` pixels of which the span from `start` is shown (both may lie between pixels, hence in half pixels) become
    `shown_pixels` from place `first` on.
    """

    length: int
    start_half_pixels: Tensor
    span_pixels: Tensor
    shown_pixels: Tensor
    first: Tensor


def find_shown(axis: Axis, side: int) -> Tensor:
    """Tell which of the places (S,) of an axis of the square show the picture."""
    places = torch.arange(side, dtype=torch.float64)
    return (places >= axis.first) & (places < axis.first + axis.shown_pixels)


def is_shortened_first(rows: Axis, columns: Axis) -> Tensor:
    """Tell, as a 0-d boolean, whether Pillow takes the rows before the columns, as it does for high pictures.

    Rounding between the passes makes the order visible, by one level. Found by trying sizes with Pillow 13.
    """
    fewer_rows = torch.full((), rows.length, dtype=torch.float64) - rows.shown_pixels
    fewer_columns = torch.full((), columns.length, dtype=torch.float64) - columns.shown_pixels
    return fewer_rows > 2 * fewer_columns.clamp(min=0)


def compute_weights(axis: Axis, side: int) -> tuple[Tensor, Tensor]:
    """Return what each pixel of an axis gives to each place of the square, as two matrices (S, length).

    A weight is 22 bits of a fraction: (high * 2**11 + low) / 2**22, both whole numbers of at most 2**11, so that
    products with pixels are exact in float32. Places that do not show the picture get nothing.
    """
    pixels = torch.arange(axis.length, dtype=torch.float64)
    places = torch.arange(side, dtype=torch.float64) - axis.first
    # Distances between centres, and the reach of the triangle, in units of 1 / (2 * shown_pixels): all whole numbers.
    pixel_centres = (2 * pixels + 1 - axis.start_half_pixels) * axis.shown_pixels
    place_centres = (2 * places + 1) * axis.span_pixels
    reach = 2 * torch.maximum(axis.span_pixels, axis.shown_pixels)
    triangles = (reach - (pixel_centres - place_centres[:, None]).abs()).clamp(min=0)
    triangles = triangles * find_shown(axis, side).to(torch.float64)[:, None]
    shares = triangles / triangles.sum(dim=1, keepdim=True).clamp(min=1)
    weights = torch.floor(shares * 2**_WEIGHT_BITS + 0.5)
    high = torch.floor(weights / 2**_HIGH_BITS)
    return high.to(torch.float32), (weights - high * 2**_HIGH_BITS).to(torch.float32)


def resample(pixels: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
    """Resample the last axis of levels 0..255 (..., length) to whole levels (..., S), as float32.

    Exact where a place gathers from up to 32 pixels; beyond, float32 may round the last of the 22 bits.
    """
    high, low = (pixels @ weight.T for weight in weights)
    whole = torch.floor(high / 2**_HIGH_BITS)
    rest = (high - whole * 2**_HIGH_BITS) * 2**_HIGH_BITS + low
    return whole + torch.floor((rest + 2 ** (_WEIGHT_BITS - 1)) / 2**_WEIGHT_BITS)
