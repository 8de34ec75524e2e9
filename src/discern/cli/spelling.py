"""Spells what the log advises as a command takes it; in a Python program it is spelled as there."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from discern.errors import DiscernError, Option

_logger = logging.getLogger("discern")


@contextmanager
def spelling_for_commands() -> Iterator[None]:
    """Let the messages of the log name `--out` where a Python program reads `out=...`."""
    _logger.addFilter(_spell_message)
    try:
        yield
    finally:
        _logger.removeFilter(_spell_message)


def _spell_message(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_spell, record.args))
    return True


def _spell(value: object) -> object:
    if isinstance(value, Option):
        return value.command
    return value.for_command_line() if isinstance(value, DiscernError) else value
