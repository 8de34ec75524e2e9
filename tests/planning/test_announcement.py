import logging

import pytest

from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.planning.announcement import announce_time
from discern.runtime import choose_runtime
from discern.training.start import build_planned
from fitting import SMALL, build_plan


@pytest.mark.parametrize("must_gain", [True, False])
def test_an_early_end_is_announced_where_it_may_come(photos, caplog, monkeypatch, must_gain):
    monkeypatch.setattr("discern.planning.announcement._FEW_PIXELS", 0)
    table, _ = split_table(load_table(photos), fractions=(0.6, 0.4, 0.0), seed=0)
    runtime = choose_runtime(device="cpu", threads=1)
    plan = build_plan(table, "transfer-finetune", [*SMALL, f"training.must_gain={must_gain}"], runtime)
    with caplog.at_level(logging.INFO, "discern"):
        announce_time(plan, build_planned(plan, 3, runtime), table, runtime)
    assert ("if head leaves too little to gain" in caplog.text) is must_gain
