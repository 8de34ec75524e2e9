"""Which class a label from elsewhere means: the same name in other letters, the same number spelt otherwise."""

import logging
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from discern.errors import DataError, list_some, name_some

logger = logging.getLogger("discern")

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)")
_SEPARATOR = re.compile(r"[\s_-]+")


class ClassFinder:
    """Finds a class by a text that means it: its name, the same number, or else the name in another case.

    Two classes that differ only in what is compared are not distinguished by it: nothing is found then.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._tables = [(make_key, _index(class_names, make_key)) for make_key in (str, _compose, parse_number, _fold)]

    def find(self, text: str) -> int | None:
        """Return the index of a class, None where the text means none."""
        for make_key, table in self._tables:
            key = make_key(text)
            if key is not None and key in table:
                return table[key]
        return None


def match_labels(labels: Iterable[str], class_names: Sequence[str], source: str) -> dict[str, str]:
    """Return the class that each label means, without the labels that mean none; what is spelt otherwise is said.

    Raises:
        DataError: Labels of one source that are not the same text mean one class.
    """
    finder = ClassFinder(class_names)
    found = {label: class_names[index] for label in labels if (index := finder.find(label)) is not None}
    by_class: dict[str, list[str]] = defaultdict(list)
    for label, name in found.items():
        by_class[name].append(label)
    clashes = [
        f"{name_some(list(map(repr, same)))}: {name!r}"
        for name, same in by_class.items()
        if len(set(map(_compose, same))) > 1
    ]
    if clashes:
        raise DataError(
            f"{source}: several labels mean one class of the classifier:\n{list_some(clashes)}\n"
            "Write each class in one way, or rename the labels that are other classes."
        )
    others = [f"{label!r} is {name!r}" for label, name in found.items() if _compose(label) != _compose(name)]
    if others:
        logger.info("%s: labels that the classifier spells otherwise: %s", source, name_some(others))
    return found


def parse_number(text: str) -> Decimal | None:
    """Return the number that a text spells with digits and a point, None for any other text."""
    stripped = text.strip()
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def _index(class_names: Sequence[str], make_key: Callable[[str], object]) -> dict[object, int]:
    keys = [make_key(name) for name in class_names]
    counts = Counter(keys)
    return {key: index for index, key in enumerate(keys) if key is not None and counts[key] == 1}


def _compose(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _fold(text: str) -> str:
    return _SEPARATOR.sub(" ", _compose(text)).casefold()
