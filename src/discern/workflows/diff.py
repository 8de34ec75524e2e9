"""Compares two runs on the pictures that both have predicted."""

from pathlib import Path

from discern.console import reporting
from discern.data.moved import check_found, find_pictures
from discern.evaluation.comparison import (
    Comparison,
    choose_common_split,
    compare_pairs,
    pair_predictions,
    select_split,
)
from discern.evaluation.predictions import Predictions, find_predictions, load_predictions
from discern.predictor.description import load_decoding
from discern.reports.comparison_files import log_comparison, write_comparison
from discern.run_folder import find_run_around


def diff(
    run_a: str | Path,
    run_b: str | Path,
    *,
    out: str | Path,
    split: str | None = None,
    data: str | Path | None = None,
    plots: bool = True,
    verbose: bool = True,
) -> Comparison:
    """Write comparison.json, disagreements.csv and disagreements.png to the folder `out`.

    Args:
        run_a: A run folder, the folder of an evaluation, or a predictions.csv.
        run_b: The other one, in the same forms.
        out: The folder to write.
        split: The split to compare; by default test if both have it, otherwise validation.
        data: The folder that the pictures were moved to, where they are not any more where they were predicted.
        plots: Draw the disagreements.
        verbose: Show progress on standard output.

    Raises:
        DataError: There are no predictions, no common split or picture, pictures with different true classes, or no
            picture below `data`.
    """
    with reporting(verbose=verbose):
        a, b = (_load(find_predictions(run), data) for run in (run_a, run_b))
        name = choose_common_split(a, b, split)
        pairs = pair_predictions(select_split(a, name), select_split(b, name))
        comparison = compare_pairs(pairs)
        check_found(pairs.frame["path"].tolist(), data)
        decoding = load_decoding(find_run_around(find_predictions(run_a)).root)
        write_comparison(comparison, pairs, Path(out), decoding, plots=plots)
        log_comparison(comparison, pairs, a, b, name)
        return comparison


def _load(path: Path, data: str | Path | None) -> Predictions:
    predictions = load_predictions(path, with_probabilities=False)
    root = find_run_around(path).read_data_root()
    return predictions.at_paths(find_pictures(predictions.paths.tolist(), root, data))
