"""What a classifier's answers to a labelled sample of new pictures say of its accuracy and its promises."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.errors import ConfigError
from discern.evaluation.familiarity import find_limit
from discern.evaluation.field_check import FieldCheck, FieldSource, PromiseCheck, check_classes, check_promise
from discern.evaluation.given_labels import NONE, SKIP, GivenLabel
from discern.evaluation.intervals import Interval, exact_interval
from discern.predictor.answers import AnswerForm, AnswerPolicy, build_answers, build_policy
from discern.predictor.bundle import Bundle
from discern.predictor.predictor import Readable

_OPEN = GivenLabel("")
_REPORTED = ("test", "out-of-fold", "validation")


def check_field(
    bundle: Bundle,
    found: Readable,
    given: Mapping[str, GivenLabel],
    source: FieldSource,
    *,
    max_errors: Sequence[float],
) -> tuple[FieldCheck, pd.DataFrame]:
    """Return what holds in the field, and for each picture of the sample its label, the answer, and if it is right.

    Args:
        bundle: The classifier.
        found: Its answers to the sample.
        given: The labels, by id.
        source: Where the sample comes from.
        max_errors: The promised shares of wrong answers (0..1).
    """
    policy = build_policy(AnswerForm(), bundle)
    rows = build_answers(
        found.table,
        found.probabilities,
        found.similarities,
        bundle.class_names,
        AnswerForm(),
        policy,
        with_own_ids=False,
    )
    labels = [given.get(name, _OPEN) for name in found.table.frame["id"]]
    is_labelled = np.array([one.action not in ("", SKIP) for one in labels], dtype=np.bool_)
    is_right = np.array([one.label for one in labels], dtype=object) == rows["label"].to_numpy()
    scores = None if bundle.record is None else bundle.record.scores
    split = next((name for name in _REPORTED if scores and name in scores), None)
    check = FieldCheck(
        **source._asdict(),
        sampled=len(found.table) + len(found.problems),
        unreadable=len(found.problems),
        skipped=sum(one.action == SKIP for one in labels),
        labelled=int(is_labelled.sum()),
        none_of_the_classes=sum(one.action == NONE for one in labels),
        accuracy=_measure(is_right[is_labelled]),
        promised=None if split is None or scores is None else scores[split].accuracy,
        promised_split=split,
        unfamiliar=_measure(rows["unfamiliar"].to_numpy(np.bool_)) if "unfamiliar" in rows else None,
        usually_unfamiliar=0.0 if bundle.evidence is None else find_limit(len(bundle.evidence)),
        promises=tuple(_check_promise(share, bundle, policy, found, is_labelled, is_right) for share in max_errors),
        classes=tuple(check_classes([one.label for one in labels], is_right, bundle.class_names)),
    )
    answers = rows.rename(columns={"label": "predicted"})
    answers.insert(2, "given", [one.action for one in labels])
    answers.insert(3, "true", [one.label for one in labels])
    answers["right"] = pd.Series(is_right, dtype="object").where(is_labelled, None)
    return check, answers


def _check_promise(
    max_error: float,
    bundle: Bundle,
    policy: AnswerPolicy,
    found: Readable,
    is_labelled: npt.NDArray[np.bool_],
    is_right: npt.NDArray[np.bool_],
) -> PromiseCheck:
    """Check a promise on the labelled pictures that `discern predict --max-error` answers."""
    try:
        point = None if bundle.evidence is None else bundle.evidence.choose_operating_point(max_error)
    except ConfigError:  # the validation pictures do not support it
        point = None
    if point is None:
        return check_promise(max_error, None, is_labelled, is_right)
    limits = AnswerPolicy(policy.evidence, point)
    reasons, _ = limits.find_reasons(found.probabilities.max(axis=1), found.similarities)
    is_answered = np.array([not reason for reason in reasons], dtype=np.bool_)
    return check_promise(max_error, point.threshold, is_answered[is_labelled], is_right[is_labelled])


def _measure(is_so: npt.NDArray[np.bool_]) -> Interval | None:
    return exact_interval(int(is_so.sum()), len(is_so)) if len(is_so) else None
