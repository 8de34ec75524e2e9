"""Classes whose names differ in writing only, such as `Dog`, `dog` and `dog `, or `3` and `3.0`."""

import logging
import re
import unicodedata
from collections import defaultdict
from decimal import Decimal

from discern.data.class_finder import parse_number
from discern.data.table import ImageTable
from discern.errors import name_some

logger = logging.getLogger("discern")


def find_similar_classes(table: ImageTable) -> list[dict[str, int]]:
    """Return the groups of class names that may be one class, with the number of pictures, the most frequent first.

    They differ in case, blanks, underscores or hyphens for blanks, final dots, invisible letters, or the form of
    Unicode (composed or not, full width), or are the same number. A single letter in both cases is no such group.
    """
    counts = table.frame["label"].value_counts()
    groups: dict[str | Decimal, dict[str, int]] = defaultdict(dict)
    for name in sorted(table.class_names, key=lambda name: -counts.get(name, 0)):
        groups[_simplify(name)][name] = int(counts.get(name, 0))
    return [names for names in groups.values() if len(names) > 1]


def warn_of_similar_classes(table: ImageTable) -> None:
    """Warn of classes that may be one; they are never merged unasked."""
    found = find_similar_classes(table)
    groups = [name_some([f"{name!r} ({count})" for name, count in group.items()]) for group in found]
    if groups:
        logger.warning(
            "classes that differ in writing only (case, blanks, Unicode, the form of a number), with their pictures: "
            "%s. Each counts as a class of its own; discern audit proposes to relabel them",
            "; ".join(groups[:5]) + (f" and {len(groups) - 5} more such groups" if len(groups) > 5 else ""),
        )


def _simplify(name: str) -> str | Decimal:
    plain = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    number = parse_number(plain)
    if number is not None:
        return number
    plain = re.sub(r"[\s_]+|(?<=\w)-(?=\w)", " ", plain).strip().rstrip(". ")
    return plain if len(plain) < 2 else unicodedata.normalize("NFC", plain.casefold())
