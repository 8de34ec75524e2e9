"""A review: pictures to decide about, and what is decided about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from discern.data.reading.deep_pixels import DepthRange
from discern.data.table import natural_sort
from discern.errors import DataError, DiscernError
from discern.predictor.bundle import load_bundle
from discern.predictor.description import load_decoding
from discern.serving.candidates import Candidate, load_candidates
from discern.serving.decisions import Decisions

OVERRIDES = "overrides.csv"


@dataclass(frozen=True)
class Review:
    """The candidates in the order in which they are shown, the classes to choose from, and the decisions so far.

    `depth_range` is that of the run's preprocessing.
    """

    name: str
    candidates: Sequence[Candidate]
    class_names: Sequence[str]
    decisions: Decisions
    depth_range: DepthRange | None = None

    @property
    def num_undecided(self) -> int:
        """How many pictures have no decision yet."""
        decided = self.decisions.find()
        return sum(candidate.key not in decided for candidate in self.candidates)


def load_review(run: Path, audit: Path | None) -> Review:
    """Return the review of a run folder; see `load_candidates` for the pictures that it asks about.

    Raises:
        DataError: Nothing is suspected, or a file cannot be read.
    """
    candidates = load_candidates(run, audit)
    if not candidates:
        raise DataError(f"{run}: nothing is suspected, so there is nothing to review")
    labels = {candidate.label for candidate in candidates} | {candidate.suggested for candidate in candidates}
    class_names = _find_class_names(run) or natural_sort(name for name in labels if name)
    return Review(run.name, candidates, class_names, Decisions(run / OVERRIDES), load_decoding(run).depth_range)


def _find_class_names(run: Path) -> tuple[str, ...]:
    """Return the classes of a run; none where it has no classifier yet."""
    try:
        return load_bundle(run).class_names
    except DiscernError:
        return ()
