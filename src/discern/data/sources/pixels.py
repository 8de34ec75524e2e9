"""Which pictures an array holds: one or many, with their channels last, first, or none."""

import numpy as np
import numpy.typing as npt

from discern.data.sources.array_parts import MIN_SIDE, advise_numbers, shape_flat
from discern.errors import DataError

Array = npt.NDArray[np.generic]

_CHANNELS = (1, 3, 4)
_MAX_BANDS = 16
"""An axis up to this may be the channels of a picture that is none of ours, such as one from a satellite."""

_MAX_ASPECT = 8
"""A grey picture that is longer than this is doubtful."""
_USUAL_FLAT = tuple(side * side * channels for side, channels in ((28, 1), (28, 3), (32, 3), (48, 1), (64, 3), (96, 3)))
"""How many pixels the flat pictures of known data have."""


def split_array(array: Array) -> list[Array]:
    """Return the pictures, (H, W) or (H, W, C), of an array (H, W), (H, W, C), (N, H, W), (N, H, W, C) or (N, C, H, W).

    C is 1, 3 or 4. What can be read in two ways is not guessed.

    Raises:
        DataError: It is of another shape or type, or can be read in two ways; the error has the line that mends it.
    """
    _check_numbers(array)
    shape = array.shape
    if array.ndim == 2:
        _check_flat(shape)
        return [array]
    if array.ndim == 3 and shape[2] in _CHANNELS:
        return [array]
    if array.ndim == 3:
        _check_grey(shape)
        return list(array)
    is_last = array.ndim == 4 and shape[2] in (1, 3) and min(shape[:2]) >= MIN_SIDE  # (H, W, C, N)
    if array.ndim == 4 and not is_last and (shape[3] in _CHANNELS or shape[1] in _CHANNELS):
        return list(array if shape[3] in _CHANNELS else np.moveaxis(array, 1, 3))
    if is_last:
        line = "The pictures lie along the last axis: array.transpose(3, 0, 1, 2)"
    elif array.ndim == 1:
        line = f"A flat picture: array{shape_flat(len(array)) or '.reshape(height, width, 3)'}"
    else:
        line = "Other channels: array[..., :3]"
    raise DataError(
        f"an array of shape {shape}; expected one picture (H, W) or (H, W, C), or many, (N, H, W) or (N, H, W, C), "
        f"with C of 1, 3 or 4. {line}"
    )


def refuse_flat(shape: tuple[int, ...]) -> DataError:
    """Return the error for an array (N, M) that may be N pictures in a row each."""
    line = shape_flat(shape[1])
    line = "array.reshape(-1, height, width, 3)" if line is None else f"array{line}"
    if line.endswith(", 3)"):
        line += " (array.reshape(-1, 3, height, width) if the colours lie in planes)"
    return DataError(
        f"an array of shape {shape} can be read as {shape[0]} flat pictures, or as one grey picture of {shape[0]} x "
        f"{shape[1]}. Say which: {line} for the first, array[None] for the second"
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
    if array.ndim == 1:
        hint = f"A flat picture: array{shape_flat(len(array)) or '.reshape(height, width, 3)'}"
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
    elif shape[1] <= _MAX_BANDS and shape[1] != shape[2]:
        other, line = f"one picture of {shape[1]} channels in the middle", "array.transpose(0, 2, 1)"
    else:
        return
    raise DataError(
        f"an array of shape {shape} can be read as {other}, or as {shape[0]} grey pictures of {shape[1]} x {shape[2]}. "
        f"Say which: {line} for the first, array[..., None] for the second"
    )


def _check_numbers(array: Array) -> None:
    if not array.size:
        raise DataError(f"an array of shape {array.shape} holds no pixels, and is empty; expected one picture or more")
    if array.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"an array of {array.dtype} and shape {array.shape}; expected uint8 (0..255) or uint16 (0..65535)."
            f"{advise_numbers(array, 'array')}"
        )


def _check_flat(shape: tuple[int, ...]) -> None:
    """Raise unless an array (H, W) can only be one grey picture."""
    if shape[1] in _USUAL_FLAT or max(shape) > _MAX_ASPECT * min(shape):
        raise refuse_flat(shape)
