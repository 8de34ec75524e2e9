"""A trained classifier against labelled pictures, by the same path as the test at the end of training."""

import logging
from collections.abc import Mapping, Sequence, Sized
from pathlib import Path

import numpy as np

from discern.config.settings import DataSettings
from discern.data.prepare import load_labelled
from discern.data.sources.inputs import Input
from discern.data.sources.load import Source, join_classes
from discern.data.table import SPLITS, ImageTable, build_table, parse_split
from discern.errors import ConfigError, DataError
from discern.evaluation.metrics import Metrics, compute_metrics
from discern.evaluation.predictions_file import UNSPLIT, load_answers, load_probabilities
from discern.files import write_json
from discern.predictor.bundle import load_bundle
from discern.predictor.load import build_predictor
from discern.processes import join_processes
from discern.reports.evaluation_files import SplitAnswers, write_evaluation, write_ranking, write_scores
from discern.reports.familiarity import compare_familiarity
from discern.training.knowledge import summarise_abstention

logger = logging.getLogger("discern")


def evaluate(
    run: str | Path,
    source: Source,
    *,
    out: Path,
    split: str | None = None,
    data: DataSettings | None = None,
    device: str = "auto",
    unfamiliar: Sequence[Input] | Input | None = None,
    ranking: bool = False,
) -> Metrics:
    """Write metrics.json, predictions.csv, per_class.csv, confusion.csv and the plots to the folder `out`.

    What the thresholds for usual shares of wrong answers do on these pictures goes to abstention.json.

    Args:
        run: A run folder or a bundle.
        source: Labelled pictures in any form that training takes; their classes are joined with the bundle's by name.
        out: The folder to write.
        split: Which split of a source that has some: train, validation or test; by default test, or else validation.
        data: How a CSV is read and what is done about bad files.
        device: Where to compute; see `resolve_runtime`.
        unfamiliar: Pictures of another kind, to see how well they are told from these: familiarity.json and its plot.
        ranking: Also write ranking.csv, ROC AUC and average precision of each class against all others.

    Raises:
        DataError: There are no such pictures, pictures without a label, or classes that the classifier does not know.
        ConfigError: `out` holds the evaluation that training wrote.
        BundleError: `unfamiliar` is given, and the bundle remembers no training pictures.
    """
    settings = data or DataSettings()
    if out.resolve() == (Path(run) / "evaluation").resolve():
        raise ConfigError(f"{out} has the run's own evaluation; give another --out")
    bundle = load_bundle(Path(run))
    processes = join_processes()
    predictor = build_predictor(bundle, device=device, processes=processes)
    with processes.main_first():
        table = load_labelled(source, settings, out / "bad_files.csv" if processes.is_main else None).table
    name, table = _choose_split(table, split)
    unlabelled = int(table.frame["label"].isna().sum())
    if unlabelled:
        raise DataError(f"{table.source}: {unlabelled} of {len(table)} pictures have no label to be judged by")
    table = join_classes(table, bundle.class_names)
    logger.info("%d pictures%s", len(table), "" if name == UNSPLIT else f" of the split {name}")
    answers = SplitAnswers(table, predictor.predict_probabilities(table))
    probabilities = answers.probabilities
    if unfamiliar is not None:
        compare_familiarity(predictor, table, unfamiliar, out)
    if processes.is_main:
        metrics = write_evaluation({name: answers}, out, out / "plots")[name]
        write_json(out / "abstention.json", summarise_abstention(bundle, {name: answers}))
        if ranking:
            write_ranking(answers, out)
    else:
        metrics = compute_metrics(table.targets(), probabilities, table.class_names)
    # A process that ends before all is written could end the others.
    processes.gather(None)
    return metrics


def evaluate_predictions(predictions: str | Path, *, out: Path, ranking: bool = False) -> dict[str, Metrics]:
    """Recompute from a predictions.csv alone what was written beside it, by split.

    The numbers are those of the evaluation itself to the six digits of the file. The misclassified pictures are drawn
    where they can still be read.

    Args:
        predictions: The file, with the columns id, true, predicted, confidence and probability_CLASS for each class;
            path and split may be missing.
        out: The folder to write.
        ranking: Also write ranking.csv of the last split, as `evaluate` does.

    Raises:
        DataError: The file cannot be used; rows without a true class, among others, are listed.
        ConfigError: `out` is the folder of the file, which has the evaluation that the file came with.
    """
    path = Path(predictions)
    if out.resolve() == path.resolve().parent:
        raise ConfigError(f"{out} has {path.name} itself and what was written with it; give another --out")
    answers = load_answers(path)
    probabilities = load_probabilities(path, answers)
    frame = answers.frame
    columns = {"id": frame["id"], "path": frame["path"], "label": frame["true"], "split": frame["split"]}
    table = join_classes(build_table(columns, source=answers.source), answers.class_names)
    splits = {name: np.flatnonzero(frame["split"] == name) for name in answers.list_splits()}
    logger.info("%d pictures%s", len(table), _describe_splits(splits))
    judged = {name: SplitAnswers(table.take(rows), probabilities[rows]) for name, rows in splits.items()}
    metrics = write_scores(judged, out, out / "plots")
    if ranking:
        write_ranking(judged[list(judged)[-1]], out)
    return metrics


def _describe_splits(splits: Mapping[str, Sized]) -> str:
    counts = ", ".join(f"{len(rows)} {name}" for name, rows in splits.items())
    return "" if list(splits) == [UNSPLIT] else f": {counts}"


def _choose_split(table: ImageTable, wanted: str | None) -> tuple[str, ImageTable]:
    """Return the name of what is evaluated and its pictures; what was trained on is not evaluated unasked."""
    present = [split for split in SPLITS if len(table.select(split))]
    if wanted is None:
        if not present:
            return UNSPLIT, table
        if present == ["train"]:
            raise DataError(f"{table.source} has training pictures only; to evaluate those, add --split train")
        wanted = present[-1]
    split = parse_split(wanted)
    if split not in present:
        found = f"its splits are {', '.join(present)}" if present else "it has no splits"
        raise DataError(f"{table.source} has no pictures in a split {wanted!r}; {found}")
    return split, table.select(split)
