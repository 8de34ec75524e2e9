"""Numbers with the six digits of a CSV file, so that what is computed from them can be computed again from the file."""

import numpy as np
from numpy.typing import NDArray

_DIGITS = 6
_SMALLEST_POWER = -300


def round_as_written(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return numbers (...), each at least 0, as they are when they have been written with six digits and read."""
    numbers = np.asarray(values, dtype=np.float64)
    powers = np.floor(np.log10(numbers, out=np.full(numbers.shape, -np.inf), where=numbers > 0))
    # A whole number divided by a power of ten is the number that is read from its digits, to the last bit.
    scales = 10.0 ** (_DIGITS - 1 - np.maximum(powers, _SMALLEST_POWER))
    return np.asarray(np.round(numbers * scales) / scales)
