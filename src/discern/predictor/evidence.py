"""The predictions for the validation pictures, from which the limits of later answers are chosen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from discern.errors import ConfigError
from discern.evaluation.conformal import compute_min_probability
from discern.evaluation.coverage import OperatingPoint, choose_operating_point, find_smallest_error
from discern.evaluation.written_probabilities import round_as_written
from discern.percent import percent

_USUAL_CHOICES = 30


@dataclass(frozen=True, eq=False)
class Evidence:
    """The predictions for V validation pictures, each array (V,).

    `confidences` and `true_probabilities` (of the true class) are calibrated, 0..1; `similarities` are those of
    `FeatureBank.measure_similarity`, None without a feature bank. `choices` has the same number for each: that of the
    classifiers among which this one was chosen by these pictures, such as epochs; None in older bundles.
    """

    confidences: npt.NDArray[np.float64]
    is_right: npt.NDArray[np.bool_]
    true_probabilities: npt.NDArray[np.float64]
    similarities: npt.NDArray[np.float64] | None = None
    choices: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.confidences)

    @property
    def num_choices(self) -> int:
        """Number of classifiers among which this one was chosen; 30 where it is not known."""
        return _USUAL_CHOICES if self.choices is None else int(self.choices.max())

    def choose_operating_point(self, max_error: float) -> OperatingPoint:
        """Return the lowest confidence at which at most a share `max_error` of the answers is wrong.

        That holds for new pictures of the same kind, with 95 % confidence; see `evaluation.coverage`. If the validation
        set is too small for it, discern refuses and states the lowest share that it can support.

        Raises:
            ConfigError: The share is not between 0 and 1, or these pictures cannot support it.
        """
        if not 0 < max_error < 1:
            raise ConfigError(f"the largest share of wrong answers is {_refuse_share(max_error)}")
        point = choose_operating_point(self.confidences, self.is_right, max_error, choices=self.num_choices)
        if point is None:
            smallest = find_smallest_error(self.confidences, self.is_right, choices=self.num_choices)
            raise ConfigError(
                f"{len(self)} validation pictures cannot support at most {percent(max_error, 2)} wrong answers with "
                f"95 % confidence; the lowest share that they support is {percent(smallest, 2)}. Allow more, or train "
                "with more validation pictures"
            )
        return point

    def choose_min_probability(self, set_coverage: float) -> float:
        """Return the smallest probability at which a class enters the prediction set.

        Sets then contain the true class in a share `set_coverage` of all cases.

        Raises:
            ConfigError: The share is not between 0 and 1, or these pictures are too few for it.
        """
        if not 0 < set_coverage < 1:
            raise ConfigError(f"the coverage of sets is {_refuse_share(set_coverage)}")
        min_probability = compute_min_probability(self.true_probabilities, set_coverage)
        if min_probability == 0 and np.ceil((len(self) + 1) * set_coverage) > len(self):
            raise ConfigError(
                f"{len(self)} validation pictures are too few for sets that contain the true class in "
                f"{percent(set_coverage, 2)} of all cases; ask for at most {percent(len(self) / (len(self) + 1), 2)}"
            )
        return min_probability


def _refuse_share(share: float) -> str:
    """Return a share with what was expected of it, and what to write for one that was given in percent."""
    meant = f"; {share:g} % is {share / 100:g}" if 1 <= share < 100 else ""
    return f"{share:g}; expected more than 0 and less than 1{meant}"


def gather_evidence(
    probabilities: npt.NDArray[np.float64],
    targets: npt.NDArray[np.int64],
    similarities: npt.NDArray[np.float64] | None,
    choices: int = 1,
) -> Evidence:
    """Return the evidence of calibrated probabilities (V, K) and targets (V,), the best of `choices` on them.

    They have the digits of a predictions.csv, so that a threshold means the same for it.
    """
    return Evidence(
        confidences=round_as_written(probabilities.max(axis=1)),
        is_right=probabilities.argmax(axis=1) == targets,
        true_probabilities=round_as_written(probabilities[np.arange(len(targets)), targets]),
        similarities=similarities,
        choices=np.full(len(targets), choices),
    )
