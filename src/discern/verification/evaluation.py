"""Computes the numbers of an evaluation again from its predictions.csv."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from discern.errors import DataError
from discern.evaluation.abstention import dump_abstention, measure_abstention
from discern.evaluation.metrics import Metrics, load_metrics
from discern.evaluation.predictions import Predictions, load_predictions
from discern.evaluation.split_scores import score_splits
from discern.files import read_json
from discern.predictor.evidence import Evidence
from discern.reports.evaluation_files import RANKING, build_ranking, build_tables
from discern.reports.known_scores import KNOWN_PICTURES, name_without_known
from discern.reports.leak_scores import score_without
from discern.verification.checks import Check, fail_check
from discern.verification.comparing import compare_numbers, compare_tables

PREDICTIONS = "predictions.csv"


def load_published_predictions(folder: Path) -> Predictions | Check:
    """Return the predictions of an evaluation, or the failed check where they cannot be used."""
    try:
        return load_predictions(folder / PREDICTIONS)
    except DataError as error:
        return fail_check(PREDICTIONS, "number", error)


def check_evaluation(folder: Path, predictions: Predictions, leaks: Path, evidence: Evidence | None) -> Iterator[Check]:
    """Check all numbers of an evaluation that follow from its predictions.

    Args:
        folder: The folder with metrics.json and predictions.csv.
        predictions: Those of predictions.csv.
        leaks: The list of pictures in two splits, where the run has one.
        evidence: The predictions for the validation pictures that thresholds are chosen from; None where they are not
            known, and then thresholds are not checked.
    """
    metrics = score_splits(predictions)
    known = folder / KNOWN_PICTURES
    if known.is_file():
        metrics |= {name_without_known(split): one for split, one in score_without(predictions, known).items()}
    yield _check_json(folder / "metrics.json", dump_metrics(metrics), leave_out_custom)
    if leaks.is_file():
        yield _check_json(folder / "metrics_without_leaks.json", dump_metrics(score_without(predictions, leaks)))
    if evidence is not None and (folder / "abstention.json").is_file():
        yield _check_json(folder / "abstention.json", dump_abstention(measure_abstention(evidence, predictions)))
    reported = predictions.select(predictions.splits[-1])
    tables = build_tables(reported)
    if (folder / RANKING).is_file():
        tables[RANKING] = build_ranking(reported)
    for name, text in tables.items():
        yield check_table(folder / name, text)


def find_custom(path: Path) -> list[str]:
    """Return the names of the metrics in a metrics.json that functions of the user gave: nobody else can compute them.

    None of a file that cannot be read.
    """
    try:
        return sorted({name for one in load_metrics(path).values() for name in one.custom})
    except DataError:
        return []


def leave_out_custom(content: Any) -> Any:
    """Return metrics by split, as JSON has them, without those that functions of the user gave."""
    if not isinstance(content, dict):
        return content
    return {
        split: {name: value for name, value in one.items() if name != "custom"} if isinstance(one, dict) else one
        for split, one in content.items()
    }


def dump_metrics(metrics: Mapping[str, Metrics]) -> dict[str, Any]:
    """Return metrics by split as JSON has them."""
    return {split: one.model_dump(mode="json") for split, one in metrics.items()}


def check_table(path: Path, computed: str) -> Check:
    """Compare a CSV file with the text that it should have."""
    try:
        return compare_tables(path.name, path.read_text(encoding="utf-8"), computed)
    except (OSError, ValueError) as error:
        return fail_check(path.name, "number", _explain(error))


def _check_json(path: Path, computed: object, prepare: Callable[[Any], object] = lambda content: content) -> Check:
    """Compare the content of a JSON file, prepared, with what it should be."""
    try:
        return compare_numbers(path.name, prepare(read_json(path)), computed)
    except (OSError, ValueError) as error:
        return fail_check(path.name, "number", _explain(error))


def _explain(error: OSError | ValueError) -> str:
    return "it is missing" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error}"
