"""The audit of a table: all findings about its pictures."""

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd

from discern.auditing.balance import compute_balance, count_classes, count_splits, find_imbalance
from discern.auditing.class_findings import find_similar_spellings
from discern.auditing.duplicate_findings import find_duplicate_findings
from discern.auditing.findings import (
    FORMAT,
    FORMAT_VERSION,
    SEVERITIES,
    Finding,
    Item,
    build_fixes,
    order_findings,
    spare_most,
)
from discern.auditing.picture_findings import find_odd_pictures, find_unreadable
from discern.counts import count_of
from discern.data.duplicates.fingerprints import Fingerprints
from discern.data.duplicates.matching import Duplicates
from discern.data.table import ImageTable
from discern.notebook import build_html_table
from discern.version import __version__

Form = Literal["quick", "full"]


@dataclass(frozen=True, repr=False)
class Audit:
    """The findings, worst first, and `content`, which is audit.json."""

    findings: tuple[Finding, ...]
    content: dict[str, Any]

    @property
    def has_errors(self) -> bool:
        """Whether something must be repaired before scores mean anything."""
        return any(finding.severity == "error" for finding in self.findings)

    def __repr__(self) -> str:
        return f"<Audit of {self._describe()}>"

    def _repr_html_(self) -> str:
        title = f"<div><b>Audit</b> of {html.escape(self._describe())}</div>"
        if not self.findings:
            return title
        rows = [
            {"": one.severity, "count": one.count, "finding": one.title, "for example": _describe_item(one.items[0])}
            for one in self.findings
        ]
        return title + build_html_table(pd.DataFrame(rows))

    def _describe(self) -> str:
        classes = count_of(len(self.content["class_names"]), "class", "classes")
        pictures = f"{count_of(self.content['count'], 'picture')} of {classes}"
        kinds = Counter(finding.severity for finding in self.findings)
        found = ", ".join(count_of(kinds[kind], kind) for kind in SEVERITIES if kinds[kind])
        return f"{self.content['source']}: {pictures}, {found or 'no problems were found'}"

    def build_fixes(self) -> pd.DataFrame:
        """Return the proposed fixes, in the form of fixes.csv."""
        return build_fixes(self.findings)


def build_audit(
    table: ImageTable,
    fingerprints: Fingerprints,
    duplicates: Duplicates,
    *,
    fractions: tuple[float, float, float],
    form: Form,
    more: Iterable[Finding] = (),
) -> Audit:
    """Build the audit of a table, with its splits as the user gave them.

    `fractions` are those for (train, validation, test) where the user gave no splits; `more` are further findings.
    """
    found = [
        *find_unreadable(table, fingerprints.problems),
        *find_duplicate_findings(table, duplicates),
        *more,
        *find_similar_spellings(table),
        *find_odd_pictures(table, fingerprints),
        *find_imbalance(count_classes(table)),
    ]
    labels = dict(zip(table.frame["id"], table.frame["label"].fillna(""), strict=True))
    findings = spare_most(order_findings(found), labels)
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "discern_version": __version__,
        "source": table.source,
        "form": form,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "count": len(table),
        "class_names": list(table.class_names),
        "class_counts": count_classes(table),
        "splits": count_splits(table),
        "balance": compute_balance(table, fractions) if table.class_names else None,
        "findings": [finding.to_dict() for finding in findings],
    }
    return Audit(tuple(findings), content)


def describe_findings(findings: Sequence[Finding], *, shown: int = 3) -> list[str]:
    """Return lines for people: each finding with its first items."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.severity}: {finding.count} x {finding.title}")
        lines += [f"    {_describe_item(item)}" for item in finding.items[:shown]]
        if finding.count > shown:
            lines.append(f"    ... and {finding.count - shown} more")
    return lines


def _describe_item(item: Item) -> str:
    return f"{', '.join(item.ids[:4] or item.labels)}: {item.detail}"
