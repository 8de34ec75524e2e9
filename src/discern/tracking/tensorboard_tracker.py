"""TensorBoard: events in the folder `tensorboard` of the run."""

from typing import TYPE_CHECKING

from discern.evaluation.metrics import load_metrics
from discern.run_folder import RunFolder
from discern.tracking.tracker import Tracker, importing_tracker
from discern.tracking.values import list_epoch_values, list_results
from discern.training.history import EpochRow

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardTracker(Tracker):
    """Writes the history as curves, and the results as points at the last epoch."""

    _writer: "SummaryWriter"
    _epoch = 0

    def check(self) -> None:
        """Check that TensorBoard is installed."""
        with importing_tracker("tensorboard", "tensorboard"):
            import torch.utils.tensorboard  # noqa: F401

    def start(self, folder: RunFolder) -> None:
        """Open a file of events."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder.tensorboard))

    def send_epoch(self, row: EpochRow) -> None:
        """Add one point to each curve."""
        self._epoch = row.epoch
        for name, value in list_epoch_values(row).items():
            self._writer.add_scalar(name, value, row.epoch)
        self._writer.flush()

    def finish(self, folder: RunFolder, *, is_complete: bool) -> None:
        """Add the results, and close the file."""
        if is_complete:
            for name, value in list_results(load_metrics(folder.evaluation / "metrics.json")).items():
                self._writer.add_scalar(name, value, self._epoch)
        self._writer.close()
