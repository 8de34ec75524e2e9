"""From probabilities to answers as people and other programs read them, "unknown" among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.table import ImageTable
from discern.errors import BundleError
from discern.evaluation.conformal import build_sets
from discern.evaluation.coverage import OperatingPoint
from discern.evaluation.familiarity import are_unfamiliar, compute_familiarity
from discern.predictor.bundle import Bundle
from discern.predictor.evidence import Evidence

UNKNOWN = "unknown"
NOT_SURE, UNFAMILIAR = "not sure enough", "unlike the training pictures"
SET_SEPARATOR = "|"


class AnswerForm(NamedTuple):
    """What is wanted beside the most probable class and its confidence; see `Predictor.predict`."""

    probabilities: bool = False
    top_k: int = 1
    max_error: float | None = None
    set_coverage: float | None = None


@dataclass(frozen=True, eq=False)
class AnswerPolicy:
    """Where the lines are drawn for a form of answers: what is not asked for is None."""

    evidence: Evidence | None = None
    point: OperatingPoint | None = None
    least_probability: float | None = None

    @property
    def needs_similarity(self) -> bool:
        """Whether a picture's similarity to the training pictures matters."""
        return self.point is not None and self.evidence is not None and self.evidence.similarities is not None

    def judge(
        self, confidences: npt.NDArray[np.float64], similarities: npt.NDArray[np.float64] | None
    ) -> tuple[list[str], npt.NDArray[np.float64] | None]:
        """Return for N pictures why each is not answered, "" where it is, and how familiar each is, where known."""
        threshold = 0.0 if self.point is None else self.point.threshold
        reasons = np.where(confidences < threshold, NOT_SURE, "").astype(object)
        if similarities is None or self.evidence is None or self.evidence.similarities is None:
            return list(reasons), None
        reference = self.evidence.similarities
        familiarity = compute_familiarity(similarities, reference)
        reasons[are_unfamiliar(familiarity, len(reference))] = UNFAMILIAR
        return list(reasons), familiarity


def build_policy(form: AnswerForm, bundle: Bundle) -> AnswerPolicy:
    """Draw the lines that a form of answers asks for.

    Raises:
        BundleError: The bundle has no answers for validation pictures, on which the lines rest.
        ConfigError: They are too few, or not good enough, for what is asked.
    """
    if form.max_error is None and form.set_coverage is None:
        return AnswerPolicy()
    if bundle.evidence is None:
        raise BundleError(
            "the bundle does not say how it did on validation pictures, so nothing can be promised of its answers; "
            "train again, with a validation split"
        )
    evidence = bundle.evidence
    return AnswerPolicy(
        evidence,
        None if form.max_error is None else evidence.choose_operating_point(form.max_error),
        None if form.set_coverage is None else evidence.choose_least_probability(form.set_coverage),
    )


def build_answers(
    table: ImageTable,
    probabilities: npt.NDArray[np.float64],
    similarities: npt.NDArray[np.float64] | None,
    class_names: Sequence[str],
    form: AnswerForm,
    policy: AnswerPolicy,
) -> pd.DataFrame:
    """Return a row for each row of a table: id, path, label, confidence and what the form asks for."""
    names = np.array(class_names, dtype=object)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, form.top_k)]
    columns: dict[str, object] = {"id": table.frame["id"], "path": table.frame["path"]}
    for place in range(order.shape[1]):
        suffix = f"_{place + 1}" if place else ""
        columns[f"label{suffix}"] = names[order[:, place]]
        columns[f"confidence{suffix}"] = np.take_along_axis(probabilities, order[:, [place]], axis=1)[:, 0]
    if policy.point is not None:
        guesses, confidences = names[order[:, 0]], probabilities.max(axis=1)
        reasons, familiarity = policy.judge(confidences, similarities)
        columns["label"] = np.where(np.array(reasons, dtype=object) == "", guesses, UNKNOWN)
        columns |= {"guess": guesses, "familiarity": familiarity, "reason": reasons}
    if policy.least_probability is not None:
        columns["labels"] = _name_sets(probabilities, policy.least_probability, names)
    if form.probabilities:
        columns |= {f"probability_{name}": probabilities[:, index] for index, name in enumerate(class_names)}
    return pd.DataFrame(columns)


def _name_sets(
    probabilities: npt.NDArray[np.float64], least_probability: float, names: npt.NDArray[np.object_]
) -> list[str]:
    """Return the classes of each set, the most probable first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sizes = build_sets(probabilities, least_probability).sum(axis=1)
    return [SET_SEPARATOR.join(names[row[:size]]) for row, size in zip(order, sizes, strict=True)]
