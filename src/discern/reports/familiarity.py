"""How well a classifier separates pictures of another kind from those of the usual kind."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from discern.data.sources.inputs import Input, load_inputs
from discern.errors import BundleError, DataError
from discern.evaluation.familiarity import MAX_FALSE_ALARMS, Separation, compute_separation
from discern.files import write_json
from discern.plots.familiarity import plot_familiarity
from discern.plots.saving import save_figure
from discern.predictor.predictor import Predictor

logger = logging.getLogger("discern")


def compare_familiarity(
    predictor: Predictor,
    of_usual: npt.NDArray[np.float64] | None,
    unfamiliar: Sequence[Input] | Input,
    out: Path,
) -> Separation:
    """Write familiarity.json and plots/familiarity.png: the usual pictures against those of another kind.

    Pictures of the other kind that cannot be read are left out, and their number is logged.

    Args:
        predictor: The trained classifier.
        of_usual: The similarities (N,) of the usual pictures to the training pictures, as `Predictor.answer` gives
            them; None where the bundle has no features of training pictures, or of validation pictures to compare with.
        unfamiliar: The pictures of another kind.
        out: The folder to write.

    Raises:
        BundleError: The similarities are not known.
        DataError: No picture of the other kind can be read.
    """
    evidence = predictor.bundle.evidence
    if of_usual is None or evidence is None or evidence.similarities is None:
        raise BundleError(
            "the bundle keeps no features of training and validation pictures, so unfamiliar pictures cannot be "
            "recognised; train again, with a validation split and training.feature_bank above 0"
        )
    reference = evidence.similarities
    found = predictor.predict_readable(
        load_inputs(unfamiliar, depth_range=predictor.bundle.preprocess.depth_range), similarity=True
    )
    of_other = found.similarities
    if of_other is None or len(of_other) == 0:
        raise DataError(f"{found.table.source}: no picture can be read")
    if found.problems:
        logger.warning("%d unfamiliar pictures cannot be read and are left out", len(found.problems))
    separation = compute_separation(of_usual, of_other, reference)
    if predictor.runtime.processes.is_main:
        _write(separation, of_usual, of_other, reference, out)
    auroc = separation.auroc
    logger.info(
        "%d pictures of another kind are separated from these %d with AUROC %.3f (95 %% interval %.3f to %.3f); "
        "%.1f %% of them and %.1f %% of these count as unlike the training pictures",
        len(of_other),
        len(of_usual),
        auroc.value,
        auroc.low,
        auroc.high,
        100 * separation.found,
        100 * separation.false_alarms,
    )
    return separation


def _write(
    separation: Separation,
    of_usual: npt.NDArray[np.float64],
    of_other: npt.NDArray[np.float64],
    reference: npt.NDArray[np.float64],
    out: Path,
) -> None:
    (out / "plots").mkdir(parents=True, exist_ok=True)
    write_json(
        out / "familiarity.json",
        {
            "auroc": separation.auroc.to_dict(),
            "found": separation.found,
            "false_alarms": separation.false_alarms,
            "count_usual": len(of_usual),
            "count_other": len(of_other),
        },
    )
    limit = float(np.quantile(reference, MAX_FALSE_ALARMS, method="lower"))
    figure = plot_familiarity(of_usual, of_other, limit=limit, auroc=separation.auroc.value)
    save_figure(figure, out / "plots" / "familiarity.png")
