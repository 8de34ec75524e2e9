"""Spells what the log advises as a command takes it; in a Python program it is spelled as there."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from discern.errors import DiscernError, Option

_logger = logging.getLogger("discern")

WITH_OPTIONS = ("evaluate", "predict", "explain")
"""Commands that have options for what others take as settings of the pictures."""


def spell_error(error: DiscernError) -> str:
    """Return the message of an error for a user of the command that runs."""
    return error.for_command_line(takes_settings=_takes_settings())


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
        return value.for_command_line(takes_settings=_takes_settings())
    return spell_error(value) if isinstance(value, DiscernError) else value


def _takes_settings() -> bool:
    command = next(iter(sys.argv[1:]), "")
    return command not in WITH_OPTIONS
