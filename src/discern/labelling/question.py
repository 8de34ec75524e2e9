"""What is asked of a person: the class of one picture, or whether several that look alike share one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Reason = Literal["skip", "unsure", "none"]
"""Why a picture gets no label: it comes again later; the person cannot say; it shows several of the classes or none."""

Why = Literal["diverse", "uncertain", "taken_out", "apart", "again"]
"""Why a picture is asked: to learn the classes; the head is uncertain; it was taken out of a grid; it is kept apart,
drawn at random; a skipped one comes again."""


@dataclass(frozen=True)
class Question:
    """A picture whose class is asked, by its key and file, and why it is asked.

    `suggestion` is the class that the head answers, and `between` the two that an uncertain one wavers between; None
    where it has no answer, or where `is_hidden` says that it is kept from the person, so that nobody is led by it.
    `duplicates` other pictures show the same and get the same label.
    """

    key: str
    path: Path
    why: Why
    between: tuple[str, str] | None = None
    suggestion: str | None = None
    is_hidden: bool = False
    duplicates: int = 0


@dataclass(frozen=True)
class Grid:
    """Pictures that look alike and that the head gives the class `label`; a person confirms them together."""

    label: str
    questions: Sequence[Question]
