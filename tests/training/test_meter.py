import logging

import pytest

from discern.training.meter import LoaderMeter


@pytest.mark.parametrize(
    ("workers", "expected"),
    [(0, "loader 1,000 img/s, model 4,000 img/s"), (2, "loader 800 img/s, model 4,000 img/s")],
)
def test_slow_loading_is_told_once_with_what_to_try(caplog, workers, expected):
    meter = LoaderMeter(workers)
    with caplog.at_level(logging.WARNING, "discern"):
        for _ in range(3):
            meter.observe(images=4000, batches=40, waiting_seconds=4, training_seconds=5, cached=False)
    assert caplog.text.count(f"{expected}: loader-bound, try data.workers={max(2, 2 * workers)}, or data.cache") == 1


def test_loading_that_is_only_a_part_is_not_called_a_bound(caplog):
    with caplog.at_level(logging.WARNING, "discern"):
        LoaderMeter(0).observe(images=3000, batches=90, waiting_seconds=9, training_seconds=41, cached=True)
    assert "loader 333 img/s, model 94 img/s: 22 % of the time goes into loading, try data.workers=2" in caplog.text


def test_what_is_not_slow_is_not_reported(caplog):
    meter = LoaderMeter(0)
    meter.observe(images=4000, batches=40, waiting_seconds=0.5, training_seconds=5, cached=False)
    meter.observe(images=20, batches=2, waiting_seconds=4, training_seconds=5, cached=False)
    assert not caplog.text
