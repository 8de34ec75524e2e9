"""A labelling: asks, keeps every answer on the disk, learns from the answers, and says what may be promised."""

from collections.abc import Sequence
from pathlib import Path

from discern.data.reading.deep_pixels import DepthRange
from discern.labelling.progress import Progress
from discern.labelling.question import Grid, Question, Reason


class LabellingSession:
    """Pictures without labels and the answers about them; it may be used from several threads.

    Every answer is on the disk (fsync) before the method that takes it returns. Keys that are asked for stay what they
    are when a labelling goes on later.
    """

    name: str
    journal_path: Path
    depth_range: DepthRange | None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes so far, in the order in which they came."""
        raise NotImplementedError

    def ask(self) -> Question | None:
        """Return the next picture to ask about, the same until it is answered; None where none is left."""
        raise NotImplementedError

    def ask_alike(self) -> Grid | None:
        """Return up to 12 look-alikes which the head gives the same class with confidence; None where none are."""
        raise NotImplementedError

    def answer(self, key: str, label: str) -> None:
        """Label a picture; a label that is no class yet becomes one. An earlier answer is replaced.

        Raises:
            DataError: There is no such picture, or the label cannot be a class.
            WriteError: It cannot be written; then nothing is answered.
        """
        raise NotImplementedError

    def answer_without_label(self, key: str, reason: Reason) -> None:
        """Say why a picture gets no label; a skipped one comes again when nothing else is left."""
        raise NotImplementedError

    def confirm(self, keys: Sequence[str], label: str) -> None:
        """Label pictures of a grid together; `undo` takes them back one by one."""
        raise NotImplementedError

    def undo(self) -> Question | None:
        """Take the last answer back and return its picture, which `ask` returns, too; None where there is none."""
        raise NotImplementedError

    def find_path(self, key: str) -> Path:
        """Return the file of a picture.

        Raises:
            DataError: There is no such picture.
        """
        raise NotImplementedError

    def describe(self) -> Progress:
        """Return how far the labelling is."""
        raise NotImplementedError

    def close(self) -> None:
        """Wait for the head that is being solved, if one is, and solve no more."""
        raise NotImplementedError
