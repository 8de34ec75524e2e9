"""Measures an exported file against the classifier it was made from, on real pictures."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from discern.data.reading.dataset import decode_row
from discern.data.table import ImageTable
from discern.errors import ExportError
from discern.exporting.certificate import Accuracy, Certificate, Comparison, Latency, PageLatency, compare
from discern.files import compute_sha256
from discern.predictor.calibration import compute_probabilities
from discern.predictor.predictor import Predictor

_AT_ONCE = 64
BATCH_SIZE = 8
REPEATS = 5

Probabilities = npt.NDArray[np.floating]


class ExportedFile(Protocol):
    """A file opened by the runtime of its format."""

    metadata: dict[str, str]
    runtime: str

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (N, K) of images (N, H, W, 3)."""


@runtime_checkable
class DecodingFile(ExportedFile, Protocol):
    """A file that also decodes pictures."""

    def predict_files(self, files: Sequence[Path]) -> list[npt.NDArray[np.float32] | None]:
        """Return the probabilities (K,) of each picture; None where it cannot be read."""

    def measure_latency(self, image: npt.NDArray[np.uint8]) -> PageLatency:
        """Time the answer to one picture (H, W, 3)."""


@dataclass(frozen=True)
class OwnAnswers:
    """Our own answers (N, K) to pictures of a table in fp32, from files as `discern predict` reads them.

    `own_precision` is the name of the run's precision and the answers in it, where it is another.
    """

    from_files: Probabilities
    own_precision: tuple[str, Probabilities] | None


def measure(
    exported: ExportedFile,
    file: Path,
    export_format: str,
    pictures: ImageTable,
    predictor: Predictor,
    own: OwnAnswers,
) -> Certificate:
    """Let an exported file answer real pictures, and compare its answers with ours.

    Args:
        exported: The file, opened.
        file: Its path.
        export_format: The name of its format.
        pictures: Of the bundle's classes.
        predictor: The classifier in fp32 on the CPU.
        own: Its answers.
    """
    ids = pictures.frame["id"].tolist()
    ours, theirs = _answer_same_pixels(exported, pictures, predictor)
    from_files, unread = _compare_files(exported, pictures, own.from_files, theirs)
    precision = own.own_precision
    return Certificate(
        export_format=export_format,
        precision=exported.metadata["precision"],
        runtime=exported.runtime,
        size_bytes=file.stat().st_size,
        sha256=compute_sha256(file),
        pictures=dict(Counter(_splits(pictures))),
        same_pixels=compare(ids, ours, theirs),
        from_files=from_files,
        own_precision=precision and (precision[0], compare(ids, own.from_files, precision[1])),
        accuracy=_compute_accuracy(pictures, ours, theirs),
        latency=_measure_latency(exported, pictures, predictor),
        unread=unread,
        tta=predictor.bundle.tta,
    )


def _answer_same_pixels(
    exported: ExportedFile, pictures: ImageTable, predictor: Predictor
) -> tuple[Probabilities, Probabilities]:
    """Return our probabilities and theirs for the same pixels, decoded whole."""
    preprocess, max_pixels = predictor.bundle.preprocess, predictor.bundle.max_pixels
    ours: list[Probabilities] = []
    theirs: list[Probabilities] = []
    for start in range(0, len(pictures), _AT_ONCE):
        fitted = []
        for row in range(start, min(start + _AT_ONCE, len(pictures))):
            image = decode_row(pictures, row, max_pixels=max_pixels)
            theirs.append(exported.predict(np.asarray(image)[None]))
            # A picture that fits already stays as it is when the predictor fits it.
            fitted.append(preprocess.fit_image(image).permute(1, 2, 0).numpy())
        ours.append(predictor.predict_inputs(np.stack(fitted)))
    return np.concatenate(ours), np.concatenate(theirs)


def _compare_files(
    exported: ExportedFile, pictures: ImageTable, ours: Probabilities, theirs: Probabilities
) -> tuple[Comparison, tuple[str, ...]]:
    """Compare answers to files, and return the ids of those that are not read.

    A file that does not decode pictures answers to whole ones; what lies in memory is no file to decode.
    """
    ids = pictures.frame["id"].tolist()
    if not isinstance(exported, DecodingFile) or pictures.arrays is not None:
        return compare(ids, ours, theirs), ()
    answers: list[npt.NDArray[np.float32] | None] = []
    files = [Path(path) for path in pictures.frame["path"]]
    for start in range(0, len(files), _AT_ONCE):
        answers += exported.predict_files(files[start : start + _AT_ONCE])
    read = [row for row, answer in enumerate(answers) if answer is not None]
    if not read:
        raise ExportError(f"the page reads none of the {len(files)} pictures, such as {files[0]}")
    both = np.stack([answer for answer in answers if answer is not None])
    unread = tuple(ids[row] for row, answer in enumerate(answers) if answer is None)
    return compare([ids[row] for row in read], ours[read], both), unread


def _compute_accuracy(pictures: ImageTable, ours: Probabilities, theirs: Probabilities) -> Accuracy | None:
    """Measure on the validation pictures, which are there for choices; the test split is not used up for them."""
    targets, splits = pictures.targets(), np.array(_splits(pictures))
    labelled = targets >= 0
    split = next((name for name in ("validation", "test", "train") if (labelled & (splits == name)).any()), None)
    if split is None:
        return None
    rows = np.flatnonzero(labelled & (splits == split))
    shares = [float((answers[rows].argmax(axis=1) == targets[rows]).mean()) for answers in (ours, theirs)]
    return Accuracy(split, len(rows), *shares)


def _splits(pictures: ImageTable) -> list[str]:
    return pictures.frame["split"].fillna("validation").tolist()


def _measure_latency(exported: ExportedFile, pictures: ImageTable, predictor: Predictor) -> Latency | PageLatency:
    """Time both sides on the first picture, alone and several times at once; or the page on it, as a file."""
    bundle, runtime = predictor.bundle, predictor.runtime
    image = decode_row(pictures, 0, max_pixels=bundle.max_pixels)
    if isinstance(exported, DecodingFile):
        return exported.measure_latency(np.asarray(image))
    pixels = np.asarray(image)[None]
    batch = np.repeat(pixels, BATCH_SIZE, axis=0)

    def answer(count: int) -> None:
        images = torch.stack([bundle.preprocess.fit_image(image) for _ in range(count)])
        compute_probabilities(predictor.compute_outputs(images).logits, bundle.calibration)

    return Latency(
        width_pixels=image.width,
        height_pixels=image.height,
        threads=runtime.threads,
        repeats=REPEATS,
        batch_size=BATCH_SIZE,
        ours_seconds=_time(lambda: answer(1)),
        exported_seconds=_time(lambda: exported.predict(pixels)),
        ours_batch_seconds=_time(lambda: answer(BATCH_SIZE)),
        exported_batch_seconds=_time(lambda: exported.predict(batch)),
    )


def _time(action: Callable[[], object]) -> float:
    """Return the median of the seconds that an action takes; the first time, which prepares things, does not count."""
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])
