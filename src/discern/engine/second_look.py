"""Which answers depend on how they were computed: those that are not clear, where speed has cost exactness.

A bf16 network differs from its fp32 in the third digit of its logits, and a JPEG that is decoded at a fraction of its
size differs by a level or two of 255. Neither moves a probability that is nearly 1, and both can move one that is not
by several hundredths. So pictures whose answer is not clear are decoded whole and computed in fp32.
"""

import numpy as np
import numpy.typing as npt

from discern.data.reading.dataset import ImageDataset
from discern.runtime import Runtime

CLEAR_PROBABILITY = 0.995
"""From here on, bf16 and reduced decoding move the probabilities of a picture by less than 0.01."""


def find_unclear(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the rows of probabilities (N, K) without a class that is nearly certain."""
    return np.flatnonzero(~(probabilities.max(axis=1, initial=0.0) >= CLEAR_PROBABILITY))


def find_inexact(rows: npt.NDArray[np.int64], dataset: ImageDataset, runtime: Runtime) -> npt.NDArray[np.int64]:
    """Return those of the rows of a dataset that are computed in bf16 or decoded at a fraction of their size."""
    if runtime.precision != "fp32":
        return rows
    return rows[[dataset.is_reduced(int(row)) for row in rows]] if len(rows) else rows
