"""Follows a run with the trackers that its settings name; none of them can end it."""

import logging
from collections.abc import Callable, Sequence

from discern.errors import one_line
from discern.run_folder import RunFolder
from discern.tracking.mlflow_tracker import MlflowTracker
from discern.tracking.tensorboard_tracker import TensorBoardTracker
from discern.tracking.tracker import TRACKERS, Tracker, register_tracker
from discern.tracking.wandb_tracker import WandbTracker
from discern.training.history import EpochRow, load_history
from discern.training.listeners import Listener

logger = logging.getLogger("discern")

register_tracker("tensorboard")(TensorBoardTracker)
register_tracker("mlflow")(MlflowTracker)
register_tracker("wandb")(WandbTracker)


def check_trackers(names: Sequence[str]) -> None:
    """Check that all trackers can be used, before anything is computed.

    Raises:
        ConfigError: There is none of a name, or one cannot be used.
    """
    for name in names:
        TRACKERS.find(name)().check()


def build_trackers(names: Sequence[str]) -> list[Listener]:
    """Return listeners that send one run to the trackers."""
    return [TrackerListener(name, TRACKERS.find(name)()) for name in names]


class TrackerListener(Listener):
    """Keeps a tracker up to date; where that fails, the run goes on, and all is sent again at its end."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self._name = name
        self._tracker = tracker
        self._rows: Sequence[EpochRow] = ()
        self._sent = 0
        self._is_started = False
        self._has_failed = False

    def on_run_start(self, folder: RunFolder) -> None:
        """Begin; of a run that is resumed, the epochs that are complete were sent before."""
        self._sent = len(load_history(folder.history)) if folder.history.is_file() else 0
        self._folder = folder
        self._try(self._catch_up, f"the run goes on, and {self._name} is tried again at its end")

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:  # noqa: ARG002
        """Send the new epoch, unless the tracker has failed: to wait for it in each epoch would take too long."""
        self._rows = tuple(rows)
        if not self._has_failed:
            self._try(self._catch_up, f"the run goes on, and {self._name} is tried again at its end")

    def on_run_end(self, folder: RunFolder, *, is_complete: bool) -> None:
        """Send what is missing, and the results."""

        def finish() -> None:
            self._catch_up()
            self._tracker.finish(folder, is_complete=is_complete)

        self._try(finish, f"{self._name} does not have the whole run; {folder.root} does")

    def _catch_up(self) -> None:
        if not self._is_started:
            self._tracker.start(self._folder)
            self._is_started = True
        for row in self._rows[self._sent :]:
            self._tracker.send_epoch(row)
            self._sent += 1

    def _try(self, send: Callable[[], None], consequence: str) -> None:
        try:
            send()
        except Exception as error:  # noqa: BLE001 - a server can fail in many ways, and a training of hours must not end
            self._has_failed = True
            logger.warning("%s failed (%s: %s); %s", self._name, type(error).__name__, one_line(error), consequence)
