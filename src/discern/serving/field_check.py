"""The sample of a field check: pictures without a label, which a person answers in order, and the answers so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from discern.data.reading.deep_pixels import DepthRange
from discern.serving.decisions import Decisions


@dataclass(frozen=True)
class FieldSample:
    """The pictures to label, by id and file, in the order in which they are shown.

    What the classifier answers is not part of it, so that nobody is led by it. `depth_range` is that of its
    preprocessing.
    """

    name: str
    ids: Sequence[str]
    paths: Sequence[str]
    class_names: Sequence[str]
    answers: Decisions
    depth_range: DepthRange | None = None

    @property
    def num_open(self) -> int:
        """How many pictures have no answer yet."""
        answered = self.answers.find()
        return sum(name not in answered for name in self.ids)
