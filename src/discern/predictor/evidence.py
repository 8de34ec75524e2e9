"""How a classifier did on its validation pictures: what promises about its answers rest on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discern.errors import ConfigError
from discern.evaluation.conformal import compute_min_probability
from discern.evaluation.coverage import OperatingPoint, choose_operating_point, find_smallest_error


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was answered for V pictures that were not trained on, (V,) each.

    `confidences` and `true_probabilities` (of the true class) are calibrated, 0..1; `similarities` are those of
    `FeatureBank.measure_similarity`, where there is a memory.
    """

    confidences: npt.NDArray[np.float64]
    is_right: npt.NDArray[np.bool_]
    true_probabilities: npt.NDArray[np.float64]
    similarities: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.confidences)

    def choose_operating_point(self, max_error: float) -> OperatingPoint:
        """Return the confidence from which on at most a share `max_error` of the answers is wrong.

        Raises:
            ConfigError: The share is not in 0..1, or these pictures cannot promise it.
        """
        if not 0 < max_error < 1:
            raise ConfigError(
                f"the largest share of wrong answers is {max_error:g}; expected more than 0 and less than 1"
            )
        point = choose_operating_point(self.confidences, self.is_right, max_error)
        if point is None:
            smallest = find_smallest_error(self.confidences, self.is_right)
            raise ConfigError(
                f"at most {max_error:.2%} wrong answers cannot be promised from {len(self)} validation pictures; the "
                f"smallest share that can is {smallest:.2%}. Allow more, or train with more validation pictures"
            )
        return point

    def choose_least_probability(self, set_coverage: float) -> float:
        """Return the probability from which on a class belongs into a set that holds the true class that often.

        Raises:
            ConfigError: The share is not in 0..1, or these pictures are too few for it.
        """
        if not 0 < set_coverage < 1:
            raise ConfigError(f"the coverage of sets is {set_coverage:g}; expected more than 0 and less than 1")
        least = compute_min_probability(self.true_probabilities, set_coverage)
        if least == 0 and np.ceil((len(self) + 1) * set_coverage) > len(self):
            raise ConfigError(
                f"sets that hold the true class in {set_coverage:.2%} of all cases cannot be promised from "
                f"{len(self)} validation pictures; ask for at most {len(self) / (len(self) + 1):.2%}"
            )
        return least


def gather_evidence(
    probabilities: npt.NDArray[np.float64],
    targets: npt.NDArray[np.int64],
    similarities: npt.NDArray[np.float64] | None,
) -> Evidence:
    """Return the evidence of calibrated probabilities (V, K) and targets (V,)."""
    return Evidence(
        confidences=probabilities.max(axis=1),
        is_right=probabilities.argmax(axis=1) == targets,
        true_probabilities=probabilities[np.arange(len(targets)), targets],
        similarities=similarities,
    )
