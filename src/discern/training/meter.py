"""Warns when training waits too long for pictures."""

import logging

from discern.percent import percent

logger = logging.getLogger("discern")

_TOLERATED_SHARE = 0.2
_MIN_BATCHES = 20


class LoaderMeter:
    """Compares the speed of reading pictures with that of training, and warns once if reading is too slow."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._has_warned = False

    def observe(
        self, *, images: int, batches: int, waiting_seconds: float, training_seconds: float, cached: bool
    ) -> None:
        """Record an epoch and the seconds of it that were spent waiting for batches.

        `cached` is true if decoded pictures are kept already.
        """
        if self._has_warned or batches < _MIN_BATCHES or waiting_seconds < _TOLERATED_SHARE * training_seconds:
            return
        self._has_warned = True
        share = waiting_seconds / training_seconds
        finding = (
            "loader-bound" if self._workers or share > 0.5 else f"{percent(share, 0)} of the time goes into loading"
        )
        # Loader processes that training waits for read all the time; without them only the waiting time is reading.
        loading_seconds = training_seconds if self._workers else waiting_seconds
        logger.warning(
            "loader %s img/s, model %s img/s: %s, try %s",
            f"{images / loading_seconds:,.0f}",
            f"{images / (training_seconds - waiting_seconds):,.0f}",
            finding,
            f"data.workers={max(2, 2 * self._workers)}" + ("" if cached else ", or data.cache=memory or disk"),
        )
