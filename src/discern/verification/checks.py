"""What a verification found: each thing that was checked, how much of it, and what disagrees."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from discern.counts import count_of

Kind = Literal["file", "number", "text"]
"""What is counted: files by their checksums, numbers that were computed again, texts of a page."""


class Check(BaseModel):
    """One thing that was checked: how many files, numbers or texts of it, and a sentence for each that disagrees."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    count: int
    disagreements: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return one line for people."""
        number = len(self.disagreements)
        outcome = f"{number} disagree{'s' * (number == 1)}" if number else "agrees" if self.count == 1 else "agree"
        return f"{self.name}: {count_of(self.count, self.kind)}, {outcome}"


class Signature(BaseModel):
    """A signature that was checked: the mark of its key, and whether this is the key that was asked for, if one was."""

    model_config = ConfigDict(frozen=True)

    file: str
    key: str
    is_from_key: bool | None = None


class Verification(BaseModel):
    """The checks of a place, what cannot be checked, and its signatures."""

    model_config = ConfigDict(frozen=True)

    place: str
    checks: tuple[Check, ...]
    not_checked: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()

    @property
    def disagreements(self) -> tuple[str, ...]:
        """All that disagrees, each with the name of its check."""
        return tuple(f"{check.name}: {text}" for check in self.checks for text in check.disagreements)

    def count(self, kind: Kind) -> int:
        """Return how many files, numbers or texts were checked."""
        return sum(check.count for check in self.checks if check.kind == kind)


def fail_check(name: str, kind: Kind, reason: object) -> Check:
    """Return the check of something that cannot be read, or is not there."""
    return Check(name=name, kind=kind, count=1, disagreements=(" ".join(str(reason).split()),))


def join_checks(parts: Iterable[Check], name: str) -> Check:
    """Return several checks of one kind as one."""
    parts = list(parts)
    return Check(
        name=name,
        kind=parts[0].kind,
        count=sum(part.count for part in parts),
        disagreements=tuple(text for part in parts for text in part.disagreements),
    )
