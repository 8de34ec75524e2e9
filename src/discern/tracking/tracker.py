"""What a tracker is, and the registry of those that `training.trackers` may name."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from discern.errors import ConfigError, Extra, install_command
from discern.registry import Registry
from discern.run_folder import RunFolder
from discern.training.history import EpochRow

if TYPE_CHECKING:
    from collections.abc import Iterator


class Tracker(ABC):
    """A place outside of the run folder that keeps a run: an object for each run, used in the first process only.

    An error in `start`, `send_epoch` or `finish` is a warning in the log, and the run goes on without the tracker; what
    is missing is sent again at the end.
    """

    @abstractmethod
    def check(self) -> None:
        """Check that it can be used, before any picture is read.

        Raises:
            ConfigError: Its package is missing, or nobody answers at its address.
        """

    @abstractmethod
    def start(self, folder: RunFolder) -> None:
        """Begin the run of a folder, which has its settings and plan, or go on with it where it was interrupted."""

    @abstractmethod
    def send_epoch(self, row: EpochRow) -> None:
        """Send one epoch; each comes once, in order."""

    @abstractmethod
    def finish(self, folder: RunFolder, *, is_complete: bool) -> None:
        """Send the results, which are in the folder if the run is complete, and end the run."""


BuildTracker = Callable[[], Tracker]

TRACKERS: Registry[BuildTracker] = Registry("tracker")


def register_tracker(name: str) -> Callable[[BuildTracker], BuildTracker]:
    """Return a decorator that adds a tracker: a subclass of `Tracker`, or a function that returns one.

    Args:
        name: What `training.trackers` calls it.

    Raises:
        ConfigError: The name is taken.
    """
    return TRACKERS.register(name)


@contextmanager
def importing_tracker(extra: Extra, *packages: str) -> "Iterator[None]":
    """Turn a failing import of a tracker's packages into a text that names what to install.

    Raises:
        ConfigError: One of them is not installed.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise ConfigError(f"the tracker {extra} needs an extra: {install_command(extra)}") from None
