"""Which pictures an array holds: one or many, with their channels last, first, or none."""

import numpy as np
import numpy.typing as npt

from discern.errors import DataError

Array = npt.NDArray[np.generic]

_CHANNELS = (1, 3, 4)
_MAX_BANDS = 16
"""A last axis up to this may be the channels of a picture that is none of ours, such as one from a satellite."""


def split_array(array: Array) -> list[Array]:
    """Return the pictures, (H, W) or (H, W, C), of an array (H, W), (H, W, C), (N, H, W), (N, H, W, C) or (N, C, H, W).

    C is 1, 3 or 4. What can be read in two ways is not guessed.

    Raises:
        DataError: It is of another shape or type, or can be read in two ways; the error has the line that mends it.
    """
    _check_numbers(array)
    shape = array.shape
    if array.ndim == 2 or (array.ndim == 3 and shape[2] in _CHANNELS):
        return [array]
    if array.ndim == 3:
        _check_grey(shape)
        return list(array)
    if array.ndim == 4 and (shape[3] in _CHANNELS or shape[1] in _CHANNELS):
        return list(array if shape[3] in _CHANNELS else np.moveaxis(array, 1, 3))
    raise DataError(
        f"an array of shape {shape}; expected one picture (H, W) or (H, W, C), or many, (N, H, W) or (N, H, W, C), "
        "with C of 1, 3 or 4. Other channels: array[..., :3]"
    )


def check_picture(array: Array) -> Array:
    """Return an element of a list, which is one picture, as (H, W) or (H, W, C).

    Raises:
        DataError: It is none; the error has the line that mends it.
    """
    _check_numbers(array)
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in _CHANNELS):
        return array
    if array.ndim == 3 and array.shape[0] in _CHANNELS:
        return np.moveaxis(array, 0, 2)
    hint = "np.concatenate(arrays) joins arrays of many pictures" if array.ndim == 4 else "array[..., :3] keeps three"
    raise DataError(
        f"an element of a list is one picture, and this one is an array of shape {array.shape}; expected (H, W), "
        f"(H, W, C) or (C, H, W) with C of 1, 3 or 4 channels. {hint}"
    )


def _check_grey(shape: tuple[int, ...]) -> None:
    """Raise unless an array (N, H, W) can only be N grey pictures."""
    if shape[0] == 1:
        return
    if shape[0] in _CHANNELS:
        other, line = "one picture with its channels first", "array.transpose(1, 2, 0)"
    elif shape[2] <= _MAX_BANDS and shape[2] != shape[1]:
        other, line = f"one picture of {shape[2]} channels", "array[..., :3]"
    else:
        return
    raise DataError(
        f"an array of shape {shape} can be read as {other}, or as {shape[0]} grey pictures of {shape[1]} x {shape[2]}. "
        f"Say which: {line} for the first, array[..., None] for the second"
    )


def _check_numbers(array: Array) -> None:
    if array.dtype in (np.uint8, np.uint16) and array.size:
        return
    lines = {"f": "(array * 255).round().astype(np.uint8) if they are 0..1", "b": "array.astype(np.uint8) * 255"}
    line = lines.get(array.dtype.kind, "array.astype(np.uint8) if they are 0..255")
    raise DataError(
        f"an array of {array.dtype} and shape {array.shape}; expected uint8 (0..255) or uint16 (0..65535), and not "
        f"empty. {line}"
    )
