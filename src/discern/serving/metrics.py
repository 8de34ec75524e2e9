"""What is counted while serving, for Prometheus."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder in which several processes count together."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "discern_requests", "Requests answered, by route and status.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "discern_request_seconds", "From request to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.pictures = Counter(
            "discern_pictures", "Pictures by what came of them.", ["model", "outcome"], registry=registry
        )
        self.batch_sizes = Histogram(
            "discern_batch_pictures", "Pictures computed at once.", buckets=_SIZES, registry=registry
        )
        self.waiting = Gauge(
            "discern_waiting_pictures",
            "Pictures taken in and not answered yet.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.reloads = Counter("discern_reloads", "Reloads by outcome.", ["outcome"], registry=registry)

    def write(self) -> bytes:
        """Return all numbers in the text format, those of other processes included."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
