"""Counts the epochs of a run over all its phases."""

from collections.abc import Sequence

from discern.planning.plan import PhasePlan
from discern.training.history import EpochRow


class EpochCount:
    """The number of the epoch that runs; early stopping and time budgets change how many there are."""

    def __init__(self, phases: Sequence[PhasePlan]) -> None:
        self._phases = phases
        self._done: int | None = None

    def start(self, phase: PhasePlan, epoch: int) -> tuple[int, int]:
        """Return the number of an epoch that begins, from 1 over the whole run, and how many there will be.

        `epoch` is its number within the phase.
        """
        place = [known.name for known in self._phases].index(phase.name)
        later = sum(known.epochs for known in self._phases[place + 1 :])
        before = self._done
        if before is None:
            before = sum(known.epochs for known in self._phases[:place]) + epoch - 1
        return before + 1, before + 1 + phase.epochs - epoch + later

    def end(self, rows: Sequence[EpochRow]) -> None:
        """Remember how many epochs are done; `rows` are all of them."""
        self._done = rows[-1].epoch
