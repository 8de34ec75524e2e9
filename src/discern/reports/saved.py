"""Scores and thresholds as the pages read them; keys that are not known are passed over."""

from pydantic import BaseModel, ConfigDict, Field


class Saved(BaseModel):
    """A part of a JSON file; further keys are allowed, and missing ones are None or empty."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class SavedInterval(Saved):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class SavedPair(Saved):
    """Two classes, and how many pictures of each were mistaken for the other."""

    first: str
    second: str
    first_as_second: int
    second_as_first: int

    @property
    def count(self) -> int:
        """Mistakes in both directions."""
        return self.first_as_second + self.second_as_first


class SavedMetrics(Saved):
    """One split of metrics.json."""

    count: int = Field(ge=1)
    accuracy: SavedInterval
    macro_f1: SavedInterval | None = None
    balanced_accuracy: SavedInterval | None = None
    loss: SavedInterval | None = None
    brier: SavedInterval | None = None
    ece: SavedInterval | None = None
    roc_auc: SavedInterval | None = None
    confused_pairs: tuple[SavedPair, ...] = ()
    classes_absent: tuple[str, ...] = ()


class SavedOutcome(Saved):
    """The effect of a threshold on a split: the share of pictures answered, and of wrong answers among them."""

    count: int
    coverage: float
    error: SavedInterval | None = None


class SavedThreshold(Saved):
    """The smallest confidence at which the classifier answers, chosen on validation pictures."""

    threshold: float
    validation: SavedOutcome | None = None
    test: SavedOutcome | None = None
