"""The schema of audit.json, for all who read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from discern.errors import DataError
from discern.files import read_json


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ItemRecord(_Record):
    """One picture, or several that belong together.

    `labels` and `splits` are empty or belong to `ids` one by one; `paths` too, with empty text for pictures in memory.
    The action is proposed for `action_ids`, which are some of `ids`.
    """

    ids: tuple[str, ...]
    paths: tuple[str, ...] = ()
    labels: tuple[str | None, ...] = ()
    splits: tuple[str | None, ...] = ()
    detail: str = ""
    score: float | None = None
    action: str = "none"
    action_ids: tuple[str, ...] = ()
    suggested_label: str | None = None


class FindingRecord(_Record):
    """All pictures with one kind of problem, or worth knowing; `severity` is error, warning or note."""

    kind: str
    severity: str
    title: str
    explanation: str = ""
    count: int = 0
    items: tuple[ItemRecord, ...] = ()


class BalanceRecord(_Record):
    """How unequal the classes are, and by split how wide (0..1) the interval of an accuracy will be."""

    smallest_class: str
    smallest_count: int
    largest_class: str
    largest_count: int
    expected_interval_width: dict[str, float | None] = {}
    explanation: str = ""


class AuditRecord(_Record):
    """All of audit.json; `form` is quick or full, `created` a time in ISO form."""

    discern_version: str = "of unknown version"
    source: str = ""
    form: str = ""
    created: str = ""
    count: int
    class_names: tuple[str, ...] = ()
    class_counts: dict[str, int] = {}
    splits: dict[str, int] = {}
    balance: BalanceRecord | None = None
    findings: tuple[FindingRecord, ...] = ()


def read_audit_record(content: Mapping[str, Any]) -> AuditRecord:
    """Check the content of an audit.json.

    Raises:
        DataError: It does not have the form of one.
    """
    try:
        return AuditRecord.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()[:5])
        raise DataError(
            f"this is not the audit.json of this version of discern: {problems}; write it again with discern audit"
        ) from None


def load_audit_record(path: str | Path) -> AuditRecord:
    """Read an audit.json.

    Raises:
        DataError: The file is not one.
        OSError: It cannot be read.
    """
    try:
        return read_audit_record(read_json(Path(path)))
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}") from None
