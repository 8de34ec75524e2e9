"""Says when training waits for pictures more than it has to."""

import logging

logger = logging.getLogger("discern")

_TOLERATED_SHARE = 0.2
_FEWEST_BATCHES = 20


class LoaderMeter:
    """Compares how fast pictures come with how fast the network takes them, and says it once where they come slower."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._has_spoken = False

    def observe(
        self, *, images: int, batches: int, waiting_seconds: float, training_seconds: float, cached: bool
    ) -> None:
        """Take in an epoch, of which so many seconds were spent waiting for batches.

        `cached` tells that decoded pictures are kept already.
        """
        if self._has_spoken or batches < _FEWEST_BATCHES or waiting_seconds < _TOLERATED_SHARE * training_seconds:
            return
        self._has_spoken = True
        share = waiting_seconds / training_seconds
        finding = "loader-bound" if self._workers or share > 0.5 else f"{share:.0%} of the time goes into loading"
        # Loader processes work all the time when they are what is waited for; without them loading has its own time.
        loading_seconds = training_seconds if self._workers else waiting_seconds
        logger.warning(
            "loader %s img/s, model %s img/s: %s, try %s",
            f"{images / loading_seconds:,.0f}",
            f"{images / (training_seconds - waiting_seconds):,.0f}",
            finding,
            f"data.workers={max(2, 2 * self._workers)}" + ("" if cached else ", or data.cache=memory or disk"),
        )
