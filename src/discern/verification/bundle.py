"""Checks a bundle: its files by their checksums, and the numbers in its description by what they were computed from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from discern.data.splitting.folds import NO_FOLD
from discern.data.table import SPLITS
from discern.errors import DiscernError
from discern.evaluation.abstention import (
    ThresholdOutcome,
    apply_threshold,
    choose_points,
    dump_abstention,
    measure_abstention,
)
from discern.evaluation.intervals import exact_interval
from discern.evaluation.metrics import compute_metrics
from discern.evaluation.predictions import OUT_OF_FOLD, Predictions
from discern.evaluation.split_scores import score_splits
from discern.predictor.description import (
    DESCRIPTION_FILE,
    UNSIGNED_VERSION,
    BundleDescription,
    check_description,
    read_description,
)
from discern.predictor.evidence import Evidence
from discern.predictor.manifest import MANIFEST_FILE, find_changed_files, load_manifest
from discern.predictor.record import TrainingRecord
from discern.predictor.stored_tensors import EVIDENCE_FILE, WEIGHTS_FILE, load_evidence
from discern.verification.checks import Check, fail_check
from discern.verification.comparing import compare_numbers
from discern.verification.evaluation import PREDICTIONS, dump_metrics, leave_out_custom


def check_bundle_files(folder: Path) -> Check:
    """Compare the files of a bundle with the checksums in its manifest."""
    path = folder / DESCRIPTION_FILE
    try:
        if read_description(path)["format_version"] == UNSIGNED_VERSION:
            return fail_check(MANIFEST_FILE, "file", "the bundle is of a version without checksums; train again")
        manifest = load_manifest(folder)
    except DiscernError as error:
        return fail_check(MANIFEST_FILE, "file", error)
    wrong = find_changed_files(folder, manifest, [DESCRIPTION_FILE, WEIGHTS_FILE])
    return Check(name=MANIFEST_FILE, kind="file", count=len(manifest.files), disagreements=tuple(wrong))


def load_described(folder: Path) -> tuple[BundleDescription, Evidence | None]:
    """Return the description of a bundle and its evidence, without its network.

    Raises:
        BundleError: One of them is damaged.
    """
    path = folder / DESCRIPTION_FILE
    description = check_description(read_description(path), path)
    return description, None if description.evidence is None else load_evidence(folder / EVIDENCE_FILE)


def check_record_by_evidence(record: TrainingRecord, evidence: Evidence) -> Check:
    """Compare the numbers of a record with the predictions for the validation pictures, which a bundle has alone."""
    split, right = name_evidence_split(record), int(evidence.is_right.sum())
    computed = {
        "count": len(evidence),
        "accuracy": exact_interval(right, len(evidence)).to_dict(),
        "abstention": {
            f"{error:g}": None if point is None else _show(point.threshold, _apply(point.threshold, evidence))
            for error, point in choose_points(evidence).items()
        },
    }
    published = {
        "count": record.scores[split].count,
        "accuracy": record.scores[split].accuracy.to_dict(),
        "abstention": {
            f"{error:g}": None if found is None else _show(found.threshold, found.outcomes.get(split))
            for error, found in record.abstention.items()
        },
    }
    return compare_numbers(DESCRIPTION_FILE, published, computed)


def check_record_by_predictions(record: TrainingRecord, evidence: Evidence | None, predictions: Predictions) -> Check:
    """Compare the scores and thresholds of a record with what the predictions of its run give."""
    published = record.model_dump(mode="json", include={"scores", "abstention"})
    published["scores"] = leave_out_custom(published["scores"])
    computed = {
        "scores": dump_metrics(score_splits(predictions)),
        "abstention": dump_abstention(measure_abstention(evidence, predictions)),
    }
    return compare_numbers(DESCRIPTION_FILE, published, computed)


def check_evidence(evidence: Evidence, predictions: Predictions, record: TrainingRecord) -> Check:
    """Compare the evidence of a bundle with the predictions of its run for the same pictures."""
    of_split = predictions.select(name_evidence_split(record))
    targets = of_split.targets
    return compare_numbers(
        EVIDENCE_FILE,
        {
            "confidences": evidence.confidences.tolist(),
            "is_right": evidence.is_right.tolist(),
            "true_probabilities": evidence.true_probabilities.tolist(),
        },
        {
            "confidences": of_split.confidences.tolist(),
            "is_right": of_split.is_correct.tolist(),
            "true_probabilities": of_split.probabilities[np.arange(len(targets)), targets].tolist(),
        },
    )


def check_counts(record: TrainingRecord, split_file: Path) -> Check:
    """Compare the numbers of pictures in a record with the split of its run."""
    splits = pd.read_csv(split_file, usecols=["split"], dtype="str", keep_default_na=False)["split"]
    computed = {split: int((splits == split).sum()) for split in SPLITS}
    return compare_numbers(split_file.name, record.counts, computed)


def check_pictures(predictions: Predictions, split_file: Path) -> Check:
    """Compare which pictures were predicted, and their true classes, with the split of the run: none may be missing."""
    columns = ["id", "label", "split"]
    rows = pd.read_csv(split_file, usecols=columns, dtype="str", keep_default_na=False).set_index("id")
    published, computed = {}, {}
    for split in predictions.splits:
        one = predictions.select(split).frame
        of_split = rows[rows["split"] == ("train" if split == OUT_OF_FOLD else split)]
        published[split] = dict(zip(one["id"], one["true"], strict=True))
        computed[split] = of_split["label"].to_dict()
    return compare_numbers(PREDICTIONS, published, computed)


def check_folds(record: TrainingRecord, predictions: Predictions, folds_file: Path) -> Check:
    """Compare the scores of the members of an ensemble with the predictions for the pictures of their folds."""
    folds = pd.read_csv(folds_file, dtype={"id": "str"}, keep_default_na=False).set_index("id")["fold"]
    of_pool = predictions.select(OUT_OF_FOLD)
    numbers = folds.reindex(of_pool.ids).fillna(NO_FOLD).to_numpy()
    names = ("accuracy", "macro_f1", "loss")
    computed = []
    for number in range(1, len(record.folds) + 1):
        found = of_pool.take(np.flatnonzero(numbers == number))
        scores = compute_metrics(found.targets, found.probabilities, found.class_names).model_dump(mode="json")
        computed.append({"held_out": len(found)} | {name: scores[name] for name in names})
    published = [fold.model_dump(mode="json", include={"held_out", *names}) for fold in record.folds]
    return compare_numbers(folds_file.name, published, computed)


def name_evidence_split(record: TrainingRecord) -> str:
    """Return the split whose predictions are the evidence of a bundle."""
    return OUT_OF_FOLD if record.folds else "validation"


def check_described(folder: Path) -> Iterator[Check]:
    """Check the numbers of a bundle that stands alone."""
    try:
        description, evidence = load_described(folder)
    except DiscernError as error:
        yield fail_check(DESCRIPTION_FILE, "number", error)
        return
    record = description.record
    if record is not None and evidence is not None and name_evidence_split(record) in record.scores:
        yield check_record_by_evidence(record, evidence)


def _apply(threshold: float, evidence: Evidence) -> ThresholdOutcome:
    return apply_threshold(threshold, evidence.confidences, evidence.is_right)


def _show(threshold: float, outcome: ThresholdOutcome | None) -> dict[str, object]:
    return {"threshold": threshold, "outcome": None if outcome is None else outcome.model_dump(mode="json")}
