"""Which pictures are kept apart to test on, and which of the others a person is asked about."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.errors import ConfigError
from discern.labelling.heap import draw_numbers

_KEPT_SHARE, _MAX_KEPT = 1 / 3, 2000
_OF_EVERYONE = 50
"""So many pictures, the first of those kept apart, are asked of all people, so that their agreement can be measured."""

Rows = npt.NDArray[np.int64]


class Share(NamedTuple):
    """The part of one of several people, who label different pictures: `number` 1 of `people` 2 is 1/2."""

    number: int = 1
    people: int = 1


def parse_share(text: str) -> Share:
    """Return the share that a text such as "1/2" states.

    Raises:
        ConfigError: It is no such text.
    """
    found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", text.strip())
    share = Share(int(found[1]), int(found[2])) if found else Share(0, 0)
    if not 1 <= share.number <= share.people:
        raise ConfigError(
            f"the share is {text[:100]!r}; expected such as 1/2 for the first of two people, 2/2 for the other"
        )
    return share


class Parts(NamedTuple):
    """Rows of a heap: those kept apart, in the order in which they are asked, and those to learn from."""

    kept: Rows
    learnt: Rows


def draw_parts(keys: Sequence[str], *, seed: int, share: Share) -> Parts:
    """Draw the pictures to keep apart, a third but at most 2,000, and divide all by shares.

    Which they are depends on the seed and on their keys, never on an answer; pictures that are added later change
    little of it.
    """
    numbers = draw_numbers(keys, seed, "kept apart")
    order = np.argsort(numbers, kind="stable")
    count = min(_MAX_KEPT, int((numbers < _KEPT_SHARE).sum()))
    kept, rest = order[:count], np.sort(order[count:])
    owner = (draw_numbers(keys, seed, "share") * share.people).astype(np.int64) + 1
    is_own = owner == share.number
    return Parts(kept[is_own[kept] | (np.arange(count) < _OF_EVERYONE)], rest[is_own[rest]])
