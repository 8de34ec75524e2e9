"""The findings of an audit, in the form of audit.json and of fixes.csv."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.splitting.fixes import FIX_COLUMNS
from discern.data.table import ImageTable
from discern.errors import name_some

FORMAT = "discern-audit"
FORMAT_VERSION = 1

Severity = Literal["error", "warning", "note"]
Action = Literal["drop", "relabel", "group", "none"]
_FEW = 3

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Item:
    """One picture, or several that belong together.

    `action` is proposed for the pictures `action_ids`, which are some of `ids`; a score is greater where it is more
    serious.
    """

    ids: tuple[str, ...]
    paths: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    detail: str
    score: float | None = None
    action: Action = "none"
    action_ids: tuple[str, ...] = ()
    suggested_label: str | None = None


@dataclass(frozen=True)
class Finding:
    """All pictures with one kind of problem, the most serious first; the explanation says what to do."""

    kind: str
    severity: Severity
    title: str
    explanation: str
    items: tuple[Item, ...]

    @property
    def count(self) -> int:
        """How many pictures, or clusters of pictures."""
        return len(self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return what audit.json holds."""
        return {**asdict(self), "count": self.count}


class Balance(TypedDict):
    """How many pictures the classes have, and how exactly a classifier can be evaluated on them."""

    smallest_class: str
    smallest_count: int
    largest_class: str
    largest_count: int
    expected_interval_width: dict[str, float]
    explanation: str


class ItemBuilder:
    """Builds items from the rows of a table."""

    def __init__(self, table: ImageTable) -> None:
        frame = table.frame
        self._columns = [frame[name].fillna("").to_numpy(dtype=object) for name in ("id", "path", "label", "split")]

    def build(
        self,
        rows: Sequence[int] | npt.NDArray[np.integer],
        detail: str,
        *,
        score: float | None = None,
        action: Action = "none",
        action_rows: Sequence[int] | npt.NDArray[np.integer] | None = None,
        suggested_label: str | None = None,
    ) -> Item:
        """Build the item of some rows; what is proposed is for all of them, unless `action_rows` are given."""
        ids, paths, labels, splits = (tuple(map(str, column[np.asarray(rows)])) for column in self._columns)
        chosen = rows if action_rows is None else action_rows
        action_ids = tuple(map(str, self._columns[0][np.asarray(chosen, dtype=np.int64)])) if action != "none" else ()
        return Item(ids, paths, labels, splits, detail, score, action, action_ids, suggested_label)


def build_finding(kind: str, severity: Severity, title: str, explanation: str, items: Iterable[Item]) -> list[Finding]:
    """Return a finding with its items in order, or nothing where there are no items."""
    ordered = sorted(items, key=lambda item: (-(item.score or 0.0), item.ids))
    return [Finding(kind, severity, title, explanation, tuple(ordered))] if ordered else []


def order_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with errors first; among equals their order stays."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def spare_most(findings: Iterable[Finding], labels: Mapping[str, str]) -> list[Finding]:
    """Return findings that together propose to drop no more than half of all pictures, or of a class.

    What most pictures have is a property of the set. A finding that would go beyond keeps its items, and proposes
    nothing. Half of a class may be copies or unreadable. `labels` are by id.

    Where it is about a few pictures in all, they can be looked at one by one.
    """
    sizes = Counter(labels.values())
    dropped: set[str] = set()
    kept = []
    for finding in findings:
        more = {name for item in finding.items if item.action == "drop" for name in item.action_ids}
        together = dropped | more
        by_class = Counter(labels.get(name, "") for name in together)
        full = [name for name, count in by_class.items() if count > _FEW and 2 * count > sizes[name] and name]
        of_all = len(together) > _FEW and 2 * len(together) > len(labels)
        is_quality = finding.severity != "error" and finding.kind != "exact_duplicates"
        if more and (of_all or (is_quality and full)):
            kept.append(_propose_nothing(finding, "of all pictures" if of_all else f"of {name_some(full, shown=3)}"))
        else:
            kept.append(finding)
            dropped = together
    return kept


def _propose_nothing(finding: Finding, whole: str) -> Finding:
    note = f"More than half {whole} would be left out, so nothing is proposed: it may be how these pictures are."
    items = tuple(replace(item, action="none", action_ids=()) for item in finding.items)
    return replace(finding, items=items, explanation=f"{note} {finding.explanation}")


class _Row(NamedTuple):
    path: str
    problem: str
    action: str
    value: str
    score: float | None
    reason: str


def build_fixes(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return proposed fixes as `apply_fixes` takes them, one row per picture and decision, worst first.

    A picture that several findings would drop or relabel has one such row, that of the first; it may be grouped
    as well. Pictures are named by their ids.
    """
    rows: list[_Row] = []
    decided: set[str] = set()
    for finding in findings:
        for item in finding.items:
            for name in item.action_ids:
                if item.action != "group" and name in decided:
                    continue
                if item.action != "group":
                    decided.add(name)
                rows.append(_Row(name, finding.kind, item.action, _value_of(item), item.score, item.detail))
    kept = [row for row in rows if row.action != "group" or row.path not in decided]
    return pd.DataFrame(kept, columns=list(FIX_COLUMNS))


def _value_of(item: Item) -> str:
    if item.action == "group":
        return f"copies of {item.ids[0]}"
    return item.suggested_label or "" if item.action == "relabel" else ""
