"""A trained classifier against labelled pictures, by the same path as the test at the end of training."""

import logging
from pathlib import Path

from discern.bundle import load_bundle
from discern.config.settings import DataSettings
from discern.data.sources import Source, join_classes
from discern.errors import DataError
from discern.evaluation.metrics import Metrics
from discern.inference import Predictor
from discern.runtime import resolve_runtime
from discern.workflows.evaluation_files import SplitAnswers, write_evaluation
from discern.workflows.pictures import load_labelled

logger = logging.getLogger("discern")


def evaluate(
    run: str | Path,
    source: Source,
    *,
    out: Path,
    split: str | None = None,
    data: DataSettings | None = None,
    device: str = "auto",
) -> Metrics:
    """Write metrics.json, predictions.csv, per_class.csv, confusion.csv and the plots to the folder `out`.

    Args:
        run: A run folder or a bundle.
        source: Labelled pictures in any form that training takes; their classes are joined with the bundle's by name.
        out: The folder to write.
        split: Only the pictures of this split, where the source has splits.
        data: How a CSV is read and what is done about bad files.
        device: Where to compute; see `resolve_runtime`.

    Raises:
        DataError: There are no such pictures, or classes that the classifier does not know.
    """
    settings = data or DataSettings()
    bundle = load_bundle(Path(run))
    out.mkdir(parents=True, exist_ok=True)
    table = load_labelled(source, settings, out / "bad_files.csv")
    if split is not None:
        table = table.select(split)
    if not len(table):
        raise DataError(f"{table.source} has no pictures" + (f" in the split {split}" if split else ""))
    table = join_classes(table, bundle.class_names)
    predictor = Predictor(bundle, resolve_runtime(device=device))
    answers = {split or "all": SplitAnswers(table, predictor.predict_probabilities(table))}
    return write_evaluation(answers, out, out / "plots", {split or "all": len(table)})[split or "all"]
