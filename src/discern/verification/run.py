"""Checks a whole run: its bundle, its plan, its evaluations, its report and its exported files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from discern.errors import DiscernError
from discern.files import format_table
from discern.planning.plan import compare_sealed
from discern.predictor.description import DESCRIPTION_FILE, BundleDescription
from discern.predictor.evidence import Evidence
from discern.predictor.record import tabulate_folds
from discern.run_folder import RunFolder
from discern.verification.bundle import (
    check_bundle_files,
    check_counts,
    check_evidence,
    check_folds,
    check_pictures,
    check_record_by_predictions,
    load_described,
)
from discern.verification.checks import Check, fail_check
from discern.verification.evaluation import (
    PREDICTIONS,
    check_evaluation,
    check_table,
    find_custom,
    load_published_predictions,
)
from discern.verification.exported import check_exported, find_exported
from discern.verification.page import check_report, find_report_version, is_comparable


@dataclass(frozen=True)
class _Described:
    """What the bundle of a run says; None where it cannot be read."""

    description: BundleDescription | None
    evidence: Evidence | None


def check_run(folder: RunFolder) -> Iterator[Check]:
    """Check everything in a run folder that has a checksum, or follows from the predictions."""
    yield _rename(check_bundle_files(folder.bundle), folder.bundle, folder)
    yield _check_plan(folder)
    described, failed = _describe(folder)
    yield from failed
    if (folder.evaluation / PREDICTIONS).is_file() or (folder.evaluation / "metrics.json").is_file():
        yield from _check_own_evaluation(folder, described)
    for other in sorted(folder.evaluation.glob(f"*/{PREDICTIONS}")):
        yield from _check_other_evaluation(folder, other.parent, described)
    if is_comparable(find_report_version(folder)):
        yield check_report(folder)
    for file in find_exported(folder.export):
        yield _rename(check_exported(file), folder.export, folder)


def list_unchecked(folder: RunFolder) -> list[str]:
    """Return what nobody can check without the pictures, the network or the user's own functions."""
    texts = ["figures and pictures; that the network gives these predictions, which takes the pictures"]
    custom = find_custom(folder.evaluation / "metrics.json")
    if custom:
        texts.append(f"metrics that your own functions gave: {', '.join(custom)}")
    version = find_report_version(folder)
    if version is not None and not is_comparable(version):
        texts.append(f"report.html, which discern {version} wrote: discern report writes it anew")
    if (folder.evaluation / "familiarity.json").is_file() or list(folder.evaluation.glob("*/familiarity.json")):
        texts.append("familiarity.json, which takes the unfamiliar pictures")
    return texts


def _check_plan(folder: RunFolder) -> Check:
    """Compare plan.json, and the settings and the split that it was made for, with their checksums."""
    try:
        sealed = compare_sealed(folder.plan)
    except DiscernError:
        return fail_check(folder.plan.name, "file", "it is missing, damaged or was changed after the run was started")
    changed = [path.name for path, is_unchanged in sealed.items() if not is_unchanged]
    wrong = tuple(f"{name} was changed or removed after the run was started" for name in changed)
    return Check(name=folder.plan.name, kind="file", count=1 + len(sealed), disagreements=wrong)


def _describe(folder: RunFolder) -> tuple[_Described, list[Check]]:
    try:
        return _Described(*load_described(folder.bundle)), []
    except DiscernError as error:
        return _Described(None, None), [fail_check(f"bundle/{DESCRIPTION_FILE}", "number", error)]


def _check_own_evaluation(folder: RunFolder, described: _Described) -> Iterator[Check]:
    predictions = load_published_predictions(folder.evaluation)
    if isinstance(predictions, Check):
        yield _rename(predictions, folder.evaluation, folder)
        return
    for check in check_evaluation(folder.evaluation, predictions, folder.leaks, described.evidence):
        yield _rename(check, folder.evaluation, folder)
    record = None if described.description is None else described.description.record
    if record is None:
        return
    yield _rename(check_record_by_predictions(record, described.evidence, predictions), folder.bundle, folder)
    if described.evidence is not None:
        yield _rename(check_evidence(described.evidence, predictions, record), folder.bundle, folder)
    yield check_counts(record, folder.split)
    yield _rename(check_pictures(predictions, folder.split), folder.evaluation, folder)
    if record.folds:
        yield check_folds(record, predictions, folder.folds)
        yield _rename(
            check_table(folder.evaluation / "folds.csv", format_table(tabulate_folds(record.folds))),
            folder.evaluation,
            folder,
        )


def _check_other_evaluation(folder: RunFolder, place: Path, described: _Described) -> Iterator[Check]:
    predictions = load_published_predictions(place)
    if isinstance(predictions, Check):
        yield _rename(predictions, place, folder)
        return
    for check in check_evaluation(place, predictions, place / "leaks.csv", described.evidence):
        yield _rename(check, place, folder)


def _rename(check: Check, place: Path, folder: RunFolder) -> Check:
    """Return a check whose file is named with its folder."""
    return check.model_copy(update={"name": (place.relative_to(folder.root) / check.name).as_posix()})
