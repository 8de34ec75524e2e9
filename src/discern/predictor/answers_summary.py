"""What is said of answers when all are there: how many are unlike the training pictures, or unknown, and why."""

import logging
from collections import Counter
from collections.abc import Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict

from discern.counts import count_of, is_are
from discern.errors import ImageProblem, name_some
from discern.evaluation.familiarity import UNFAMILIAR, Familiarity
from discern.predictor.answers import NOT_SURE, AnswerPolicy

logger = logging.getLogger("discern")

_SHOWN_IDS = 5


class AnswerSummary(BaseModel):
    """Some answers in short, which a table of millions need not be read again for.

    `unfamiliar` is None where the classifier cannot tell; `first_unfamiliar` are the ids of a few of these. `reasons`
    counts answers by why they are "unknown"; `problems` are the pictures that could not be read.
    """

    model_config = ConfigDict(frozen=True)

    answers: int
    unfamiliar: int | None
    first_unfamiliar: tuple[str, ...]
    reasons: dict[str, int]
    problems: tuple[ImageProblem, ...]

    def log(self, policy: AnswerPolicy) -> None:
        """Log what is worth knowing of the answers, and how the limit of "unknown" was chosen."""
        _log_unfamiliar(self.answers, self.unfamiliar, self.first_unfamiliar)
        if policy.point is None:
            return
        reasons = ", ".join(f"{self.reasons[name]} {name}" for name in (NOT_SURE, UNFAMILIAR) if name in self.reasons)
        unknown = sum(self.reasons.values())
        count = f"{unknown} of {count_of(self.answers, 'picture')} {is_are(unknown)}"
        logger.info("%s unknown%s", count, f": {reasons}" if reasons else "")
        logger.info("%s", policy.point.describe())


def summarize_answers(frame: pd.DataFrame, problems: Sequence[ImageProblem]) -> AnswerSummary:
    """Return in short what a table of answers says."""
    is_unfamiliar = frame.get("unfamiliar")
    reasons = frame["reason"] if "reason" in frame else pd.Series(dtype="str")
    return AnswerSummary(
        answers=len(frame),
        unfamiliar=None if is_unfamiliar is None else int(is_unfamiliar.sum()),
        first_unfamiliar=() if is_unfamiliar is None else tuple(frame["id"][is_unfamiliar].head(_SHOWN_IDS)),
        reasons={str(name): int(count) for name, count in reasons[reasons != ""].value_counts().items()},
        problems=tuple(problems),
    )


def join_summaries(parts: Sequence[AnswerSummary]) -> AnswerSummary:
    """Return the summary of one or more parts of a table of answers, in their order."""
    unfamiliar = [part.unfamiliar for part in parts if part.unfamiliar is not None]
    reasons: Counter[str] = Counter()
    for part in parts:
        reasons.update(part.reasons)
    return AnswerSummary(
        answers=sum(part.answers for part in parts),
        unfamiliar=sum(unfamiliar) if unfamiliar else None,
        first_unfamiliar=tuple(name for part in parts for name in part.first_unfamiliar)[:_SHOWN_IDS],
        reasons=dict(reasons),
        problems=tuple(problem for part in parts for problem in part.problems),
    )


def log_familiarity(ids: Sequence[str], familiarity: Familiarity | None) -> None:
    """Warn of pictures that are unlike the training pictures, whose labels mean little."""
    if familiarity is None:
        _log_unfamiliar(len(ids), None, ())
    else:
        names = [name for name, is_unlike in zip(ids, familiarity.is_unfamiliar, strict=True) if is_unlike]
        _log_unfamiliar(len(ids), len(names), names[:_SHOWN_IDS])


def _log_unfamiliar(count: int, unfamiliar: int | None, first_ids: Sequence[str]) -> None:
    if unfamiliar is None:
        logger.warning(
            "the bundle has no feature bank or no validation pictures: pictures unlike the training pictures are not "
            "recognised"
        )
    elif unfamiliar:
        more = f" and {unfamiliar - len(first_ids)} more" if unfamiliar > len(first_ids) else ""
        share = f"{unfamiliar} of {count_of(count, 'picture')} {is_are(unfamiliar)}"
        logger.warning("%s %s, so that the labels mean little: %s%s", share, UNFAMILIAR, name_some(first_ids), more)
