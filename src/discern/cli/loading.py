"""Loads what a command needs without searching it for garbage."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Switch garbage collection off while modules are loaded, and leave what they made out of later searches.

    Loading torch and the rest makes half a million objects, nearly all of which stay. Where torch is loaded already,
    as in a program that calls the command line, nothing is done.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
