"""The certificate: how an exported file's answers compare with the classifier's, and what makes it fit to be used."""

from dataclasses import asdict
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic.dataclasses import dataclass

from discern.config.sections.training import Tta
from discern.errors import name_some
from discern.percent import percent

FORMAT: Literal["discern-export-certificate"] = "discern-export-certificate"
FORMAT_VERSION: Literal[1] = 1
AGREEMENT = {"fp32": 1.0, "fp16": 0.99, "int8": 0.99}
"""Smallest share of pictures with the same label, by precision."""
MAX_DIFFERENCE_FP32 = 1e-3
"""Largest difference of probabilities in fp32: far more than rounding, and less than what calibration changes."""
MAX_DIFFERENCE_FROM_FILES = 0.01
"""Largest difference of probabilities that decoding or computing `discern predict`'s answers otherwise may make."""


@dataclass(frozen=True)
class Comparison:
    """Answers of two sides to the same pictures; `differing` are the ids of pictures with another label."""

    count: int
    label_agreement: float
    largest_probability_difference: float
    mean_probability_difference: float
    differing: tuple[str, ...]

    def describe(self) -> str:
        """Return one line for people."""
        return (
            f"{self.count - len(self.differing)} of {self.count} labels agree, probabilities differ by at most "
            f"{self.largest_probability_difference:.2g} ({self.mean_probability_difference:.2g} on average)"
        )


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of both sides, 0..1, on `count` labelled pictures of a split."""

    split: str
    count: int
    ours: float
    exported: float

    @property
    def drop(self) -> float:
        """How much accuracy is lost; below 0 where the exported file is better."""
        return self.ours - self.exported


@dataclass(frozen=True)
class Latency:
    """Medians over `repeats`, from upright pixels in memory to probabilities, on the CPU."""

    width_pixels: int
    height_pixels: int
    threads: int
    repeats: int
    batch_size: int
    ours_seconds: float
    exported_seconds: float
    ours_batch_seconds: float
    exported_batch_seconds: float

    def describe(self) -> str:
        """Return one line for people."""
        one, many = (
            f"{1000 * exported:.0f} ms (discern: {1000 * ours:.0f} ms)"
            for exported, ours in (
                (self.exported_seconds, self.ours_seconds),
                (self.exported_batch_seconds, self.ours_batch_seconds),
            )
        )
        return (
            f"one picture of {self.width_pixels} x {self.height_pixels} in {one}, {self.batch_size} at once in {many}, "
            f"threads {self.threads}"
        )


@dataclass(frozen=True)
class PageLatency:
    """Times of a page in a browser, from the bytes of a JPEG to probabilities: the median over `repeats`.

    `start_up_seconds` are those from opening the page until it can answer.
    """

    width_pixels: int
    height_pixels: int
    repeats: int
    start_up_seconds: float
    picture_seconds: float

    def describe(self) -> str:
        """Return one line for people."""
        return (
            f"one picture of {self.width_pixels} x {self.height_pixels} in {1000 * self.picture_seconds:.0f} ms, ready "
            f"{self.start_up_seconds:.1f} s after opening"
        )


@dataclass(frozen=True)
class Certificate:
    """The measurements of one exported file, as they are written beside it.

    `same_pixels` compares answers to the same decoded pixels: what the file is responsible for. `from_files` compares
    the answers of a program that decodes whole pictures with those of `discern predict`, which decodes large JPEGs at a
    smaller size. Both take discern's side in fp32. `own_precision` compares discern's answers in the precision of the
    run with those in fp32, where they differ. `runtime` is the program that opened the file. `pictures` are counts by
    split. All answers are means over the views of `tta`. `unread` are the ids of pictures that a file which decodes
    them itself cannot read; they are not in `from_files`.
    """

    export_format: str
    precision: str
    runtime: str
    size_bytes: int
    sha256: str
    pictures: dict[str, int]
    same_pixels: Comparison
    from_files: Comparison
    own_precision: tuple[str, Comparison] | None
    accuracy: Accuracy | None
    latency: Latency | PageLatency
    unread: tuple[str, ...] = ()
    tta: Tta = "none"
    format: Literal["discern-export-certificate"] = FORMAT
    format_version: Literal[1] = FORMAT_VERSION

    def to_dict(self) -> dict[str, object]:
        """Return what is written beside the file."""
        return {"format": FORMAT, "format_version": FORMAT_VERSION} | asdict(self)

    def describe(self) -> list[str]:
        """Return lines for people."""
        counts = ", ".join(f"{count} {split}" for split, count in self.pictures.items())
        name = f"{self.export_format} {self.precision}" + ("" if self.tta == "none" else f", tta={self.tta}")
        lines = [
            f"{name}, {self.size_bytes / 1e6:.1f} MB, proven on real pictures: {counts}",
            f"  same pixels: {self.same_pixels.describe()}",
            f"  from files:  {self.from_files.describe()}",
        ]
        if self.unread:
            lines.append(f"  of a type that it does not read: {name_some(self.unread)}")
        if self.own_precision is not None:
            name, comparison = self.own_precision
            lines.append(f"  discern's own {name} beside its fp32: {comparison.describe()}")
        if self.accuracy is not None:
            lines.append(
                f"  accuracy on {self.accuracy.count} {self.accuracy.split} pictures: "
                f"{percent(self.accuracy.exported)} (discern: {percent(self.accuracy.ours)})"
            )
        return [*lines, f"  {self.latency.describe()}", f"  measured with {self.runtime}"]


def compare(ids: list[str], ours: npt.NDArray[np.floating], theirs: npt.NDArray[np.floating]) -> Comparison:
    """Compare probabilities (N, K) of two sides."""
    differences = np.abs(ours - theirs)
    differing = np.flatnonzero(~(ours.argmax(axis=1) == theirs.argmax(axis=1)) | ~np.isfinite(theirs).all(axis=1))
    return Comparison(
        len(ids),
        1 - len(differing) / len(ids),
        float(differences.max()),
        float(differences.mean()),
        tuple(ids[row] for row in differing),
    )


def find_faults(certificate: Certificate, max_drop: float) -> list[str]:
    """Return why an exported file may not be used; nothing where it may."""
    faults = []
    same, min_agreement = certificate.same_pixels, AGREEMENT[certificate.precision]
    if same.label_agreement < min_agreement:
        faults.append(
            f"only {percent(same.label_agreement)} of the labels agree on the same pixels, at least "
            f"{100 * min_agreement:g} % must; it answers differently on {name_some(same.differing)}"
        )
    # Written so that it refuses NaN, too.
    if certificate.precision == "fp32" and not same.largest_probability_difference <= MAX_DIFFERENCE_FP32:
        faults.append(
            f"probabilities differ by up to {same.largest_probability_difference:.2g}, at most "
            f"{MAX_DIFFERENCE_FP32:g} is rounding"
        )
    files = certificate.from_files
    if len(files.differing) > max(1, files.count // 100):
        faults.append(
            f"only {percent(files.label_agreement)} of the labels agree with those of discern predict; it answers "
            f"differently on {name_some(files.differing)}"
        )
    if certificate.precision == "fp32" and not files.largest_probability_difference <= MAX_DIFFERENCE_FROM_FILES:
        faults.append(
            f"from files, probabilities differ from those of discern predict by up to "
            f"{files.largest_probability_difference:.2g}, at most {MAX_DIFFERENCE_FROM_FILES:g} may come from decoding"
        )
    accuracy = certificate.accuracy
    if accuracy is not None and accuracy.drop > max_drop:
        faults.append(
            f"accuracy on {accuracy.count} {accuracy.split} pictures falls from {percent(accuracy.ours)} to "
            f"{percent(accuracy.exported)}, by more than the {max_drop:g} that max_drop accepts"
        )
    return faults
