"""Which pictures the page shows: mistakes, the most confused pairs, and the highest losses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.confused_pairs import ConfusedPair
from discern.evaluation.familiarity import describe_familiarity
from discern.evaluation.metrics import compute_losses
from discern.evaluation.predictions import Predictions
from discern.reports.run_facts import RunFacts
from discern.reports.wording import capitalize_first

MAX_MISTAKES = 24
MAX_EXPLAINED = 12
"""Number of mistakes that are shown with maps of the evidence, which take time to compute."""
MAX_LOSSES = 12
MAX_PAIRS = 10
_SURPRISE = log(2)
"""The loss of a picture whose true class has half of the probability; one with less loss surprises nobody."""


class PictureImages(NamedTuple):
    """A picture with its maps of the evidence for the answer and for the true class: JPEG files, 256 px at most."""

    picture: bytes
    of_predicted: bytes | None = None
    of_true: bytes | None = None


Images = Mapping[str, PictureImages]
"""The pictures that could be read, by id."""


class Shown(NamedTuple):
    """One answer whose picture is shown; `row` is its row among the reported answers.

    `familiarity`, 0..1, is None where it is not known.
    """

    row: int
    id: str
    true: str
    predicted: str
    confidence: float
    true_probability: float
    loss: float
    familiarity: float | None = None
    is_unfamiliar: bool = False

    def describe_familiarity(self) -> str:
        """Return how familiar the picture is, for people; nothing where it is not known."""
        if self.familiarity is None:
            return ""
        return capitalize_first(describe_familiarity(self.familiarity, is_unfamiliar=self.is_unfamiliar))


@dataclass(frozen=True)
class ShownPair:
    """Two confused classes, with up to two pictures that were mistaken for the other class."""

    pair: ConfusedPair
    pictures: tuple[Shown, ...]


@dataclass(frozen=True)
class ShownPictures:
    """All that is shown: `mistakes`, the most confident first, and `losses`, the pictures with the highest loss."""

    mistakes: tuple[Shown, ...] = ()
    losses: tuple[Shown, ...] = ()
    pairs: tuple[ShownPair, ...] = ()
    num_mistakes: int = 0

    @property
    def explained(self) -> tuple[Shown, ...]:
        """The mistakes that are shown with maps of the evidence."""
        return self.mistakes[:MAX_EXPLAINED]

    def list_all(self) -> list[Shown]:
        """Return each shown picture once, the mistakes first."""
        of_pairs = (shown for pair in self.pairs for shown in pair.pictures)
        return list({shown.row: shown for shown in (*self.mistakes, *of_pairs, *self.losses)}.values())


def choose_pictures(facts: RunFacts) -> ShownPictures:
    """Choose from the reported answers; nothing is shown where there are none."""
    answers = facts.answers
    if answers is None:
        return ShownPictures()
    targets = answers.targets
    losses = np.full(len(targets), np.nan)
    known = np.flatnonzero(targets >= 0)
    losses[known] = compute_losses(targets[known], answers.probabilities[known])
    by_confidence = answers.find_mistakes()
    by_loss = known[np.argsort(-losses[known], kind="stable")]
    by_loss = by_loss[losses[by_loss] > _SURPRISE]
    build = _Builder(answers, targets, losses)
    pairs = facts.reported.confused_pairs if facts.reported is not None else ()
    return ShownPictures(
        mistakes=build.rows(by_confidence[:MAX_MISTAKES]),
        losses=build.rows(by_loss[:MAX_LOSSES]),
        pairs=tuple(_show_pairs(pairs[:MAX_PAIRS], answers, by_confidence, build)),
        num_mistakes=len(by_confidence),
    )


class _Builder:
    def __init__(self, answers: Predictions, targets: NDArray[np.int64], losses: NDArray[np.float64]) -> None:
        self._answers = answers
        self._targets = targets
        self._losses = losses
        self._familiarity = answers.familiarity

    def rows(self, rows: NDArray[np.int64]) -> tuple[Shown, ...]:
        return tuple(self._build(int(row)) for row in rows)

    def _build(self, row: int) -> Shown:
        record, target = self._answers.frame.iloc[row], int(self._targets[row])
        probabilities, known = self._answers.probabilities[row], self._familiarity
        return Shown(
            row=row,
            id=str(record["id"]),
            true=str(record["true"]),
            predicted=str(record["predicted"]),
            confidence=float(probabilities.max()),
            true_probability=float(probabilities[target]) if target >= 0 else 0.0,
            loss=float(self._losses[row]),
            familiarity=None if known is None or np.isnan(known.values[row]) else float(known.values[row]),
            is_unfamiliar=known is not None and bool(known.is_unfamiliar[row]),
        )


def _show_pairs(
    pairs: Sequence[ConfusedPair], answers: Predictions, mistakes: NDArray[np.int64], build: _Builder
) -> Iterator[ShownPair]:
    """Show of each pair the most confident mistake in each direction, or two of the only direction that occurs."""
    true, predicted = answers.frame["true"].to_numpy(), answers.frame["predicted"].to_numpy()
    for pair in pairs:
        ways = [
            mistakes[(true[mistakes] == one) & (predicted[mistakes] == other)]
            for one, other in ((pair.first, pair.second), (pair.second, pair.first))
        ]
        one_each = [way[:1] for way in ways if len(way)]
        chosen = np.concatenate(one_each) if len(one_each) == 2 else np.concatenate(ways)[:2]
        yield ShownPair(pair, build.rows(chosen))
