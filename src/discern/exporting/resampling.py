"""Pillow's antialiased bilinear resizing as two matrix products, so that a graph of any runtime can do it.

Each pass is a product with a matrix that is computed from the size of the picture while the graph runs. All that Pillow
does is done alike: weights in double precision, rounded to 22 bits; pixels rounded to whole levels after each pass.
Source: `precompute_coeffs`, `normalize_coeffs_8bpc` and `ImagingResampleHorizontal_8bpc` of Pillow's Resample.c.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor

_STEP_BITS = 11
_WEIGHT_BITS = 2 * _STEP_BITS
_PART_BITS = 12

Weights = tuple[Tensor, Tensor]


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
    """Return which of the places (S,) of an axis of the square show the picture."""
    places = torch.arange(side, dtype=torch.float64)
    return (places >= axis.first) & (places < axis.first + axis.shown_pixels)


def is_shortened_first(rows: Axis, columns: Axis) -> Tensor:
    """Return, as a 0-d boolean, whether Pillow takes the rows before the columns, as it does for high pictures.

    Rounding between the passes makes the order visible, by one level. Found by trying sizes with Pillow 13.
    """
    fewer_rows = torch.full((), rows.length, dtype=torch.float64) - rows.shown_pixels
    fewer_columns = torch.full((), columns.length, dtype=torch.float64) - columns.shown_pixels
    return fewer_rows > 2 * fewer_columns.clamp(min=0)


def compute_weights(axis: Axis, side: int) -> Weights:
    """Return what each pixel of an axis gives to each place of the square, as two matrices (S, length).

    A weight is 22 bits of a fraction: (high * 2**11 + low) / 2**22, both whole numbers of at most 2**11, so that
    products with pixels are exact in float32. Places that do not show the picture get nothing.

    The fraction is worked out in two steps of 11 bits, as in long division, and the remainder between them without
    rounding even in float32, to which some runtimes turn float64.
    """
    pixels = torch.arange(axis.length, dtype=torch.float64)
    places = torch.arange(side, dtype=torch.float64) - axis.first
    # Distances between centres, and the reach of the triangle, in units of 1 / (2 * shown_pixels): all whole numbers.
    pixel_centres = (2 * pixels + 1 - axis.start_half_pixels) * axis.shown_pixels
    place_centres = (2 * places + 1) * axis.span_pixels
    reach = 2 * torch.maximum(axis.span_pixels, axis.shown_pixels)
    triangles = (reach - (pixel_centres - place_centres[:, None]).abs()).clamp(min=0)
    triangles = triangles * find_shown(axis, side).to(torch.float64)[:, None]
    sums = triangles.sum(dim=1, keepdim=True).clamp(min=1)
    dividends = triangles * 2**_STEP_BITS
    high = torch.floor(dividends / sums + 0.5)
    # The product high * sums may need more than the 24 bits of float32; those of its two parts do not.
    upper = torch.floor(sums / 2**_PART_BITS)
    remainders = dividends - high * upper * 2**_PART_BITS - high * (sums - upper * 2**_PART_BITS)
    low = torch.floor(remainders * 2**_STEP_BITS / sums + 0.5)
    return high.to(torch.float32), low.to(torch.float32)


def resample_square(levels: Tensor, down: Weights, across: Weights, rows_first: Tensor) -> Tensor:
    """Resample levels (N, 3, H, W) to whole levels (N, 3, S, S), with the weights of the rows and of the columns.

    Both orders are computed, but the one that is not wanted from a single row or column, which costs next to nothing: a
    branch in the graph would be simpler, but OpenVINO 2026.4 hands on a wrong result of one when N has changed.
    """
    height, width = levels.shape[2], levels.shape[3]
    rows = _choose_length(rows_first, 1, height)
    narrowed = resample(levels.narrow(2, 0, rows), across)
    columns_first = resample(narrowed.transpose(2, 3), _cut(down, rows)).transpose(2, 3)
    columns = _choose_length(rows_first, width, 1)
    shortened = resample(levels.narrow(3, 0, columns).transpose(2, 3), down).transpose(2, 3)
    return torch.where(rows_first, resample(shortened, _cut(across, columns)), columns_first)


def resample(pixels: Tensor, weights: Weights) -> Tensor:
    """Resample the last axis of levels 0..255 (..., length) to whole levels (..., S), as float32.

    Exact where a place gathers from up to 32 pixels; beyond, float32 may round the last of the 22 bits.
    """
    high, low = (pixels @ weight.T for weight in weights)
    whole = torch.floor(high / 2**_STEP_BITS)
    rest = (high - whole * 2**_STEP_BITS) * 2**_STEP_BITS + low
    return whole + torch.floor((rest + 2 ** (_WEIGHT_BITS - 1)) / 2**_WEIGHT_BITS)


def _choose_length(condition: Tensor, yes: int, no: int) -> int:
    """Return one of two lengths, of which the longer is one of the picture's, as a size that the trace can follow."""
    first, second = (torch.full((), length, dtype=torch.int64) for length in (yes, no))
    chosen = cast("int", torch.where(condition, first, second).item())
    torch._check(chosen >= 1)
    torch._check(chosen <= (no if yes == 1 else yes))
    return chosen


def _cut(weights: Weights, length: int) -> Weights:
    high, low = (weight.narrow(1, 0, length) for weight in weights)
    return high, low
