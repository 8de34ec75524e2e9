"""Says when training waits for pictures more than it has to."""

import logging

logger = logging.getLogger("discern")

_TOLERATED_SHARE = 0.2
_FEWEST_BATCHES = 20


class LoaderMeter:
    """Compares how fast pictures come with how fast the network takes them, and says it once where they come slower."""

    def __init__(self, workers: int, *, cached: bool) -> None:
        self._workers = workers
        self._cached = cached
        self._has_spoken = False

    def observe(self, *, images: int, batches: int, waiting_seconds: float, training_seconds: float) -> None:
        """Take in an epoch, of which so many seconds were spent waiting for batches."""
        if self._has_spoken or batches < _FEWEST_BATCHES or waiting_seconds < _TOLERATED_SHARE * training_seconds:
            return
        self._has_spoken = True
        # Loader processes work all the time when they are what is waited for; without them loading has its own time.
        loading_seconds = training_seconds if self._workers else waiting_seconds
        logger.warning(
            "loader %s img/s, model %s img/s: loader-bound; try %s",
            f"{images / loading_seconds:,.0f}",
            f"{images / (training_seconds - waiting_seconds):,.0f}",
            self._suggest(),
        )

    def _suggest(self) -> str:
        more = f"data.workers={max(2, 2 * self._workers)}"
        return more if self._cached else f"{more}, or data.cache=memory or disk from the second epoch on"
