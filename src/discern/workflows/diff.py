"""Two runs against each other, on the pictures that both have answered."""

import logging
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from discern.data.reading.thumbnails import load_thumbnails
from discern.data.table import build_table, parse_split
from discern.errors import DataError
from discern.evaluation.comparison import (
    Comparison,
    PairedAnswers,
    compare_answers,
    describe_comparison,
    pair_answers,
)
from discern.evaluation.intervals import Interval
from discern.evaluation.predictions_file import UNSPLIT, SavedAnswers, load_answers
from discern.files import write_json
from discern.plots.gallery import GALLERY_SIZE, Answer, plot_disagreements
from discern.reports.evaluation_files import replace_figure, write_table

logger = logging.getLogger("discern")


def diff(run_a: str | Path, run_b: str | Path, *, out: Path, split: str | None = None) -> Comparison:
    """Write comparison.json, disagreements.csv and disagreements.png to the folder `out`.

    Args:
        run_a: A run folder, the folder of an evaluation, or a predictions.csv.
        run_b: Another one.
        out: The folder to write.
        split: Which split to compare on; by default test if both have it, or else validation.

    Raises:
        DataError: There are no predictions, no common split or picture, or pictures with different true classes.
    """
    answers_a, answers_b = (load_answers(find_predictions(Path(run))) for run in (run_a, run_b))
    name = _choose_split(answers_a, answers_b, split)
    pairs = pair_answers(_select(answers_a, name), _select(answers_b, name))
    comparison = compare_answers(pairs)
    disagreements = pairs.find_disagreements()
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "comparison.json", comparison.to_dict())
    write_table(disagreements, out / "disagreements.csv")
    replace_figure(_plot_disagreements(disagreements), out / "disagreements.png")
    if name == "validation":
        logger.warning("compared on validation pictures, by which models are chosen: they flatter both")
    _warn_of_classes(answers_a, answers_b)
    logger.info("A: accuracy %s, %s", _describe(comparison.accuracy_a), answers_a.source)
    logger.info("B: accuracy %s, %s", _describe(comparison.accuracy_b), answers_b.source)
    logger.info("%s", _describe_pictures(pairs, name, len(disagreements)))
    logger.info("%s", describe_comparison(comparison))
    return comparison


def find_predictions(place: Path) -> Path:
    """Return the predictions.csv of a run or of an evaluation's folder, or the file itself.

    Raises:
        DataError: There is none.
    """
    folders = (place / "evaluation", place)
    candidates = [folder / "predictions.csv" for folder in folders] if place.is_dir() else [place]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DataError(
        f"{place} has no predictions; looked for {' and '.join(map(str, candidates))}. Expected a run that was "
        "evaluated, the folder of an evaluation (discern evaluate RUN DATA writes one), or a predictions.csv."
    )


def _choose_split(a: SavedAnswers, b: SavedAnswers, wanted: str | None) -> str:
    """Return the split to compare on; answers without splits can be compared with those of any."""
    named = [names for names in (set(answers.list_splits()) - {UNSPLIT} for answers in (a, b)) if names]
    common = set.intersection(*named) if named else {UNSPLIT}
    preferred = ["test", "validation", *sorted(common)] if wanted is None else [parse_split(wanted) or wanted]
    for name in preferred:
        if name in common:
            return name
    looked_for = "no split is in both" if wanted is None else f"the split {wanted!r} is not in both"
    found = "; ".join(f"{answers.source} has {', '.join(answers.list_splits())}" for answers in (a, b))
    raise DataError(f"{looked_for}: {found}.")


def _select(answers: SavedAnswers, split: str) -> SavedAnswers:
    return answers.select(split) if split in answers.list_splits() else answers


def _plot_disagreements(rows: pd.DataFrame) -> Figure | None:
    """Draw the first of them; None if there are some, but none whose picture can be read."""
    table = build_table({"id": rows["id"], "path": rows["path"]}, source="disagreements")
    thumbnails = load_thumbnails(table, range(len(rows)), max_count=GALLERY_SIZE, shown_in="disagreements.png")
    if len(rows) and not thumbnails:
        return None
    shown = rows.iloc[list(thumbnails)]
    answers_a, answers_b = (
        list(map(Answer, shown[f"predicted_{side}"], shown[f"confidence_{side}"])) for side in ("a", "b")
    )
    return plot_disagreements(
        list(thumbnails.values()), list(shown["id"]), list(shown["true"]), answers_a, answers_b, total=len(rows)
    )


def _warn_of_classes(a: SavedAnswers, b: SavedAnswers) -> None:
    """Say which classes only one can answer, where the files tell what their classes are."""
    if not a.class_names or not b.class_names:
        return
    for name, own, other in (("A", a, b), ("B", b, a)):
        more = [class_name for class_name in own.class_names if class_name not in other.class_names]
        if more:
            logger.warning("classes that only %s knows, so that the other is wrong on them: %s", name, ", ".join(more))


def _describe(accuracy: Interval) -> str:
    return f"{accuracy.value:.1%} (95 % interval {accuracy.low:.1%} to {accuracy.high:.1%})"


def _describe_pictures(pairs: PairedAnswers, split: str, disagreements: int) -> str:
    of_split = "" if split == UNSPLIT else f" of the split {split}"
    left_out = f"; left out: {pairs.only_in_a} that only A has, {pairs.only_in_b} that only B has"
    is_partial = pairs.only_in_a + pairs.only_in_b > 0
    return (
        f"{len(pairs.frame)} pictures{of_split} that both have answered{left_out if is_partial else ''}; "
        f"they disagree on {disagreements}"
    )
