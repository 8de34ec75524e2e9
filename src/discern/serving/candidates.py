"""Pictures worth a second look: those an audit suspects, or the most confident disagreements of the classifier."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from discern.errors import DataError, option
from discern.evaluation.predictions import load_predictions
from discern.files import read_json

_MAX_LOSSES = 500
_SEVERITIES = {"error": 0, "warning": 1, "note": 2}


class Related(BaseModel):
    """A picture shown beside the one in question."""

    id: str
    label: str
    split: str
    path: Annotated[str, Field(exclude=True)]


class Disagreement(BaseModel):
    """What the classifier takes a picture for."""

    label: str
    confidence: float


class Candidate(BaseModel):
    """A picture to decide about; `suggested` is another label that may be right, `related` are its copies.

    `kind` is that of the audit's finding, or "mistake"; `title`, `explanation` and `details` are what the audit says.
    """

    id: str
    label: str
    split: str
    path: Annotated[str, Field(exclude=True)]
    kind: str
    title: str = ""
    explanation: str = ""
    details: list[str] = []
    taken_for: Disagreement | None = None
    suggested: str | None = None
    related: list[Related] = []
    decision: dict[str, str] | None = None

    @property
    def key(self) -> str:
        """What a decision names the picture by."""
        return self.path or self.id


class _Item(BaseModel):
    ids: list[str]
    paths: list[str]
    labels: list[str]
    splits: list[str]
    detail: str
    score: float | None = None
    action: str = "none"
    suggested_label: str | None = None


class _Finding(BaseModel):
    kind: str
    severity: str = "note"
    title: str
    explanation: str = ""
    items: list[_Item] = []


class _Audit(BaseModel):
    findings: list[_Finding]


def load_candidates(run: Path, audit: Path | None) -> list[Candidate]:
    """Return what to decide about, each picture once, the most serious first.

    Args:
        run: A run folder.
        audit: A folder with audit.json, or the file. By default the findings of the run's own audit, and then the
            mistakes of its evaluation.

    Raises:
        DataError: There is neither, or it cannot be read.
    """
    if audit is not None:
        return _merge(_load_audit(audit / "audit.json" if audit.is_dir() else audit))
    files = [file for file in (run / "audit.json", run / "audit" / "audit.json") if file.is_file()]
    predictions = run / "evaluation" / "predictions.csv"
    if not files and not predictions.is_file():
        raise DataError(f"{run} has neither an audit nor predictions; give the folder of one by ", option("audit"))
    found = [candidate for file in files for candidate in _load_audit(file)]
    return _merge(found + (_load_losses(predictions) if predictions.is_file() else []))


def _load_audit(path: Path) -> list[Candidate]:
    try:
        audit = _Audit.model_validate(read_json(path))
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; give the folder that discern audit wrote by ", option("audit")
        ) from None
    except (ValueError, ValidationError) as error:
        raise DataError(f"{path}: not readable as an audit: {str(error).splitlines()[0]}") from None
    findings = sorted(audit.findings, key=lambda finding: _SEVERITIES.get(finding.severity, len(_SEVERITIES)))
    return [candidate for finding in findings for candidate in _list_candidates(finding)]


def _merge(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return each picture once, in its first place, with all that is known of it."""
    by_key: dict[str, Candidate] = {}
    for candidate in candidates:
        known = by_key.setdefault(candidate.key, candidate)
        if known is not candidate:
            known.details += candidate.details
            known.taken_for = known.taken_for or candidate.taken_for
            known.suggested = known.suggested or candidate.suggested
            known.related += candidate.related
    return list(by_key.values())


def _list_candidates(finding: _Finding) -> Iterator[Candidate]:
    """Yield the pictures of a finding that ask for a decision; of copies all but the first are in question."""
    for item in finding.items:
        if finding.severity == "note" and item.action == "none":
            continue
        pictures = [
            Related(id=name, path=path, label=label, split=split)
            for name, path, label, split in zip(item.ids, item.paths, item.labels, item.splits, strict=False)
        ]
        for place, picture in enumerate(pictures):
            if place == 0 and len(pictures) > 1:
                continue
            yield Candidate(
                **picture.model_dump(),
                path=picture.path,
                kind=finding.kind,
                title=finding.title,
                explanation=finding.explanation,
                details=[item.detail],
                suggested=item.suggested_label,
                related=[other for other in pictures if other is not picture],
            )


def _load_losses(path: Path) -> list[Candidate]:
    predictions = load_predictions(path, with_probabilities=False)
    wrong = predictions.take(predictions.find_mistakes()[:_MAX_LOSSES]).frame
    return [
        Candidate(
            id=row.id,
            label=row.true,
            split=row.split,
            path=row.path,
            kind="mistake",
            taken_for=Disagreement(label=row.predicted, confidence=confidence),
            suggested=row.predicted,
        )
        for row, confidence in zip(wrong.itertuples(index=False), wrong["confidence"].tolist(), strict=True)
    ]
