"""Loading what a command needs."""

import gc
import sys

from discern.cli.loading import without_collection


def test_what_is_loaded_is_left_out_of_later_searches_for_garbage(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    frozen = gc.get_freeze_count()
    try:
        with without_collection():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


def test_a_program_that_has_torch_keeps_its_own_ways(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", object())
    with without_collection():
        assert gc.isenabled()
