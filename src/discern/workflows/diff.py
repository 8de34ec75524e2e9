"""Compares two runs on the pictures that both have predicted."""

from pathlib import Path

from discern.console import reporting
from discern.evaluation.comparison import (
    Comparison,
    choose_common_split,
    compare_pairs,
    pair_predictions,
    select_split,
)
from discern.evaluation.predictions import find_predictions, load_predictions
from discern.reports.comparison_files import log_comparison, write_comparison


def diff(
    run_a: str | Path,
    run_b: str | Path,
    *,
    out: str | Path,
    split: str | None = None,
    plots: bool = True,
    verbose: bool = True,
) -> Comparison:
    """Write comparison.json, disagreements.csv and disagreements.png to the folder `out`.

    Args:
        run_a: A run folder, the folder of an evaluation, or a predictions.csv.
        run_b: The other one, in the same forms.
        out: The folder to write.
        split: The split to compare; by default test if both have it, otherwise validation.
        plots: Draw the disagreements.
        verbose: Show progress on standard output.

    Raises:
        DataError: There are no predictions, no common split or picture, or pictures with different true classes.
    """
    with reporting(verbose=verbose):
        a, b = (load_predictions(find_predictions(run), with_probabilities=False) for run in (run_a, run_b))
        name = choose_common_split(a, b, split)
        pairs = pair_predictions(select_split(a, name), select_split(b, name))
        comparison = compare_pairs(pairs)
        write_comparison(comparison, pairs, Path(out), plots=plots)
        log_comparison(comparison, pairs, a, b, name)
        return comparison
