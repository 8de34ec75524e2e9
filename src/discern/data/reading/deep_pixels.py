"""From the values of pictures of more than 8 bits to those of 8."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.errors import BadImageError

DepthRange = tuple[float, float]
"""The values of pictures of more than 8 bits that become 0 and 255; what lies beyond is black or white."""

DEEP_MODES = ("I", "F")
"""How the modes of Pillow begin whose pictures have more than 8 bits."""


class DeepValues(NamedTuple):
    """The values of a picture of more than 8 bits; `full` is what becomes white by the rules."""

    pixels: npt.NDArray[np.float32]
    full: float
    is_colour: bool


def build_deep_values(pixels: npt.NDArray[np.float32], *, is_float: bool) -> DeepValues:
    """Return the values of a grey picture with what the rules of decoding expect of it."""
    full = 65535 if not is_float else 1 if np.nanmax(pixels) <= 1 else 255
    return DeepValues(pixels, full, is_colour=False)


def scale_deep(
    values: npt.NDArray[np.generic], mode: str, shown: str, depth_range: DepthRange | None
) -> npt.NDArray[np.uint8]:
    """Return the values of a picture in a mode of Pillow as 8 bits, from a range or by the rules of decoding.

    Raises:
        BadImageError: There is no range, and they are beyond what the rules expect.
    """
    if depth_range is not None:
        return scale_range(values, depth_range)
    if mode.startswith("I;16"):
        return scale_sixteen_bit(values)
    return _from_integers(values, shown) if mode == "I" else _from_floats(values, shown)


def scale_sixteen_bit(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Divide by 257 to the nearest, which maps 0..65535 to 0..255."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def scale_range(values: npt.NDArray[np.generic], depth_range: DepthRange) -> npt.NDArray[np.uint8]:
    """Map a range to 0..255, and what lies beyond to its ends."""
    low, high = depth_range
    # What is no number (NaN) becomes black, as where a measurement is missing.
    shares = np.nan_to_num((values.astype(np.float32) - low) / (high - low), nan=0.0)
    return np.asarray(np.rint(shares.clip(0, 1) * 255).astype(np.uint8))


def _from_integers(values: npt.NDArray[np.generic], shown: str) -> npt.NDArray[np.uint8]:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise BadImageError(
            shown, f"32-bit values from {low} to {high}; expected 0..65535, or data.depth_range=[{low},{high}]"
        )
    return scale_sixteen_bit(values)


def _from_floats(values: npt.NDArray[np.generic], shown: str) -> npt.NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 255):  # written so that it refuses NaN, too
        raise BadImageError(
            shown,
            f"32-bit float values from {low:g} to {high:g}; expected 0..1 or 0..255, or data.depth_range=[LOW,HIGH]",
        )
    scale = 255 if high <= 1 else 1
    return np.asarray(np.rint(values.astype(np.float32) * scale).astype(np.uint8))
