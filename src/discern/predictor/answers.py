"""From probabilities to answers for people and other programs: labels, "unknown", and sets of classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.table import ImageTable
from discern.errors import BundleError
from discern.evaluation.conformal import build_sets
from discern.evaluation.coverage import OperatingPoint
from discern.evaluation.familiarity import UNFAMILIAR, Familiarity, are_unfamiliar, compute_familiarity
from discern.predictor.bundle import Bundle
from discern.predictor.evidence import Evidence

UNKNOWN = "unknown"
NOT_SURE = "not sure enough"
SET_SEPARATOR = "|"


class AnswerForm(NamedTuple):
    """What an answer contains besides the most probable class and its confidence; see `Predictor.predict`."""

    probabilities: bool = False
    top_k: int = 1
    max_error: float | None = None
    set_coverage: float | None = None


@dataclass(frozen=True, eq=False)
class AnswerPolicy:
    """The limits for a form of answers; a limit that the form does not need is None.

    `point` has the smallest confidence at which a picture is answered, `min_probability` is the smallest probability at
    which a class enters the prediction set.
    """

    evidence: Evidence | None = None
    point: OperatingPoint | None = None
    min_probability: float | None = None

    @property
    def knows_familiarity(self) -> bool:
        """Whether the similarity of pictures to the training pictures says how familiar they are."""
        return self.evidence is not None and self.evidence.similarities is not None

    @property
    def needs_similarity(self) -> bool:
        """Whether the answers depend on the similarity of pictures to the training pictures."""
        return self.point is not None and self.knows_familiarity

    def measure_familiarity(self, similarities: npt.NDArray[np.float64] | None) -> Familiarity | None:
        """Return how familiar pictures are by their similarities (N,) to the training pictures; None if not known."""
        if similarities is None or self.evidence is None or self.evidence.similarities is None:
            return None
        reference = self.evidence.similarities
        values = compute_familiarity(similarities, reference)
        return Familiarity(values, are_unfamiliar(values, len(reference)))

    def find_reasons(
        self, confidences: npt.NDArray[np.float64], similarities: npt.NDArray[np.float64] | None
    ) -> tuple[list[str], npt.NDArray[np.float64] | None]:
        """Return for N pictures why each is "unknown" ("" where it is not), and its familiarity, 0..1, where known."""
        threshold = 0.0 if self.point is None else self.point.threshold
        reasons = np.where(confidences < threshold, NOT_SURE, "").astype(object)
        familiarity = self.measure_familiarity(similarities)
        if familiarity is None:
            return list(reasons), None
        reasons[familiarity.is_unfamiliar] = UNFAMILIAR
        return list(reasons), familiarity.values


def build_policy(form: AnswerForm, bundle: Bundle) -> AnswerPolicy:
    """Choose the limits that a form of answers needs, from the predictions for the validation pictures.

    Raises:
        BundleError: The bundle has no predictions for validation pictures.
        ConfigError: They are too few, or not good enough, for what is asked.
    """
    if form.max_error is None and form.set_coverage is None:
        return AnswerPolicy(bundle.evidence if bundle.feature_bank is not None else None)
    if bundle.evidence is None:
        raise BundleError(
            "the bundle has no predictions for validation pictures, so no share of wrong answers can be guaranteed; "
            "train again, with a validation split"
        )
    evidence = bundle.evidence
    return AnswerPolicy(
        evidence if bundle.feature_bank is not None else None,
        None if form.max_error is None else evidence.choose_operating_point(form.max_error),
        None if form.set_coverage is None else evidence.choose_min_probability(form.set_coverage),
    )


def knows_own_ids(table: ImageTable) -> bool:
    """Return whether the user's own tables call pictures by ids, which the answers repeat."""
    return bool(table.frame["own_id"].notna().any())


def build_answers(
    table: ImageTable,
    probabilities: npt.NDArray[np.float64],
    similarities: npt.NDArray[np.float64] | None,
    class_names: Sequence[str],
    form: AnswerForm,
    policy: AnswerPolicy,
    *,
    with_own_ids: bool,
) -> pd.DataFrame:
    """Return a row for each row of a table: id, path, label, confidence, familiarity and what the form asks for."""
    names = np.array(class_names, dtype=object)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, form.top_k)]
    columns: dict[str, object] = {"id": table.frame["id"], "path": table.frame["path"]}
    for place in range(order.shape[1]):
        suffix = f"_{place + 1}" if place else ""
        columns[f"label{suffix}"] = names[order[:, place]]
        columns[f"confidence{suffix}"] = np.take_along_axis(probabilities, order[:, [place]], axis=1)[:, 0]
    familiarity = policy.measure_familiarity(similarities)
    columns |= {} if familiarity is None else familiarity.to_columns()
    if policy.point is not None:
        guesses, confidences = names[order[:, 0]], probabilities.max(axis=1)
        reasons, _ = policy.find_reasons(confidences, similarities)
        columns["label"] = np.where(np.array(reasons, dtype=object) == "", guesses, UNKNOWN)
        columns |= {"guess": guesses, "reason": reasons}
    if policy.min_probability is not None:
        columns["labels"] = _name_sets(probabilities, policy.min_probability, names)
    if with_own_ids:
        columns["own_id"] = table.frame["own_id"]
    if form.probabilities:
        columns |= {f"probability_{name}": probabilities[:, index] for index, name in enumerate(class_names)}
    return pd.DataFrame(columns)


def list_classes(answers: pd.DataFrame) -> Iterator[tuple[str, str | None]]:
    """Yield the path and the class of each picture of a table of answers, None where it is unknown."""
    known = answers["reason"] == "" if "reason" in answers else repeat(True)
    for path, label, is_known in zip(answers["path"], answers["label"], known, strict=False):
        yield path, label if is_known else None


def _name_sets(
    probabilities: npt.NDArray[np.float64], min_probability: float, names: npt.NDArray[np.object_]
) -> list[str]:
    """Return the names of each prediction set, the most probable class first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sizes = build_sets(probabilities, min_probability).sum(axis=1)
    return [SET_SEPARATOR.join(names[row[:size]]) for row, size in zip(order, sizes, strict=True)]
