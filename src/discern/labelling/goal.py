"""What a labelling is to reach: at most so many wrong answers, and so many pictures answered at all."""

import logging
import re
from pathlib import Path
from typing import NamedTuple

from discern.errors import ConfigError
from discern.files import write_atomically

logger = logging.getLogger("discern")

_EXPECTED = 'expected such as "2% wrong, 80% answered"'
_PARTS = re.compile(r"(\d+(?:[.,]\d+)?)\s*%\s*(wrong|answered)", re.IGNORECASE)


class Goal(NamedTuple):
    """Of new pictures at least the share `answered` is to be answered, and at most `wrong` of the answers are wrong."""

    wrong: float = 0.02
    answered: float = 0.8

    def describe(self) -> str:
        """Return the goal as `parse_goal` reads it."""
        return f"{100 * self.wrong:g}% wrong, {100 * self.answered:g}% answered"


def parse_goal(text: str) -> Goal:
    """Return the goal that a text such as "2% wrong, 80% answered" states, its parts in any order.

    Raises:
        ConfigError: It is no such text, or the shares cannot be reached or make no sense.
    """
    found = {word.casefold(): float(number.replace(",", ".")) / 100 for number, word in _PARTS.findall(text)}
    rest = _PARTS.sub("", text).replace("and", "").strip(" ,;.")
    if rest or set(found) != {"wrong", "answered"}:
        raise ConfigError(f"the goal is {text[:100]!r}; {_EXPECTED}")
    goal = Goal(**found)
    if not 0 < goal.wrong < 1 or not 0 < goal.answered <= 1:
        raise ConfigError(f"the goal is {text[:100]!r}; {_EXPECTED}, each share above 0 %, and fewer than 100 % wrong")
    return goal


def keep_goal(path: Path, asked: Goal | None) -> Goal:
    """Return the goal of a labelling: what is asked for, or else that of the first time, which the file keeps.

    Raises:
        ConfigError: The file holds no goal.
        WriteError: It cannot be written.
    """
    if not path.is_file():
        first = asked or Goal()
        write_atomically(path, f"{first.describe()}\n".encode())
        return first
    first = parse_goal(path.read_text(encoding="utf-8", errors="replace").strip())
    if asked is None or asked == first:
        return first
    logger.warning(
        "this labelling began with the goal %s; the 95 %% confidence does not cover a goal that is chosen after "
        "results were seen",
        first.describe(),
    )
    return asked
