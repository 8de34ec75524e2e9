"""What is exported and proven: a classifier on the CPU, and the labelled pictures to compare answers on."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from discern.data.reading.dataset import decode_row
from discern.data.sources.load import Source
from discern.data.table import ImageTable
from discern.exporting.certificate import Certificate
from discern.exporting.description import check_origin, describe_export
from discern.exporting.formats import ExportFormat, ExportOrder, Precision
from discern.exporting.measurement import OwnAnswers, measure
from discern.exporting.pictures import choose_pictures, draw_training_pictures, load_pictures
from discern.exporting.quantization import CALIBRATION_PICTURES
from discern.files import compute_sha256
from discern.models.custom import Network
from discern.predictor.bundle import Bundle, find_bundle, load_bundle
from discern.predictor.load import build_predictor
from discern.predictor.predictor import Predictor
from discern.predictor.stored_tensors import WEIGHTS_FILE
from discern.predictor.tta import use_tta
from discern.run_folder import RunFolder
from discern.runtime import choose_runtime

logger = logging.getLogger("discern")


class ExportSubject:
    """The classifier of a run, and the pictures that its exported files are proven on.

    Args:
        run: A run folder or a bundle.
        data: Labelled pictures instead of the run's own.
        network: The user's own, if the classifier was trained with one.
        tta: Test-time augmentation, if it is to be another than in training.

    Raises:
        BundleError: The run has no classifier that can be read.
        ExportError: The run's pictures are not known or no longer there, and `data` is None.
        DataError: `data` cannot be used.
    """

    def __init__(self, run: Path, data: Source | None, network: Network | None = None, tta: str | None = None) -> None:
        self.run = run
        self.bundle = use_tta(load_bundle(run, network), tta)
        folder = find_bundle(run)
        self.weights_sha256 = compute_sha256(folder / WEIGHTS_FILE)
        pictures = load_pictures(run, data, self.bundle.class_names)
        self._table = replace(pictures, depth_range=self.bundle.preprocess.depth_range)

    @property
    def root(self) -> Path:
        """The run folder, or the folder that the bundle lies in."""
        return (self.run.parent if self.run.name == "bundle" else self.run).resolve()

    def default_path(self, chosen: ExportFormat, precision: Precision) -> Path:
        """Return a place in the run folder, or beside the bundle, with the precision in its name unless fp32."""
        mark = "" if precision == "fp32" else f".{precision}"
        folder = self.run.parent if self.run.name == "bundle" else self.run
        return RunFolder(folder).export / f"{self.root.name}{mark}{chosen.suffix}"

    def build_order(self, chosen: ExportFormat, precision: Precision) -> ExportOrder:
        """Return what a format needs to write the classifier."""
        metadata = describe_export(self.bundle, precision, self.weights_sha256, chosen.interface)
        return ExportOrder(self.bundle, precision, metadata, self._decode_training_pictures())

    def certify(self, file: Path, chosen: ExportFormat) -> Certificate:
        """Measure a file on the pictures.

        Raises:
            ExportError: It cannot be read, or is not the export of this classifier.
            BadImagesError: Some pictures cannot be read.
        """
        runtime = choose_runtime(device="cpu", precision="fp32")
        with runtime.applied(), chosen.opening(file, runtime.threads) as exported:
            check_origin(exported.metadata, self.bundle, self.weights_sha256, file.name)
            # A file is compared with answers over the views that it has itself; those of old state none.
            bundle = use_tta(self.bundle, exported.metadata.get("tta", "none"))
            pictures = choose_pictures(self._table, self.bundle.max_pixels)
            logger.info("comparing answers to %d pictures", len(pictures))
            predictor = Predictor(bundle, runtime)
            own = OwnAnswers(predictor.predict_probabilities(pictures), _answer_in_own_precision(bundle, pictures))
            return measure(exported, file, chosen.name, pictures, predictor, own)

    def _decode_training_pictures(self) -> Iterator[npt.NDArray[np.uint8]]:
        drawn = draw_training_pictures(self._table, CALIBRATION_PICTURES)
        for row in range(len(drawn)):
            yield np.asarray(decode_row(drawn, row, max_pixels=self.bundle.max_pixels))


def _answer_in_own_precision(bundle: Bundle, pictures: ImageTable) -> tuple[str, npt.NDArray[np.float64]] | None:
    """Return the precision of the run and the probabilities (N, K) in it, where it is not fp32."""
    predictor = build_predictor(bundle, device="cpu")
    precision = predictor.runtime.precision
    return None if precision == "fp32" else (precision, predictor.predict_probabilities(pictures))
