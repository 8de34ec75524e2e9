"""The certificate: how an exported file's answers compare with the classifier's, and what makes it fit to be used."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

FORMAT = "discern-export-certificate"
FORMAT_VERSION = 1
AGREEMENT = {"fp32": 1.0, "fp16": 0.99, "int8": 0.99}
"""The least share of pictures with the same label, by precision."""
MOST_DIFFERENCE_FP32 = 1e-3
"""How far probabilities in fp32 may lie apart: above rounding by far, and below anything that calibration does."""
_SHOWN = 10


@dataclass(frozen=True)
class Comparison:
    """Answers of two sides for the same pictures; `differing` are the ids of pictures with another label."""

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
    """Shares of `count` labelled pictures of a split that are answered right."""

    split: str
    count: int
    ours: float
    exported: float

    @property
    def drop(self) -> float:
        """How much is lost; below 0 where the exported file is better."""
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
class Certificate:
    """What was measured of one exported file.

    `same_pixels` compares answers to the same decoded pixels: what the file is responsible for. `from_files` compares
    what a consumer that decodes whole pictures gets with what `discern predict` gets, which decodes large JPEGs at a
    smaller size. Both take our side in fp32. `own_precision` compares our own answers in the precision of the run with
    those in fp32, where they differ. `runtime` is what opened the file. `companions` are the SHA-256 of files beside
    it that belong to it, by the ends of their names; `size_bytes` counts them in.
    """

    export_format: str
    precision: str
    runtime: str
    size_bytes: int
    sha256: str
    companions: dict[str, str]
    pictures: dict[str, int]
    same_pixels: Comparison
    from_files: Comparison
    own_precision: tuple[str, Comparison] | None
    accuracy: Accuracy | None
    latency: Latency

    def to_dict(self) -> dict[str, object]:
        """Return what is written beside the file."""
        return {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}

    def describe(self) -> list[str]:
        """Return lines for people."""
        counts = ", ".join(f"{count} {split}" for split, count in self.pictures.items())
        lines = [
            f"{self.export_format} {self.precision}, {self.size_bytes / 1e6:.1f} MB, proven on real pictures: {counts}",
            f"  same pixels: {self.same_pixels.describe()}",
            f"  from files:  {self.from_files.describe()}",
        ]
        if self.own_precision is not None:
            name, comparison = self.own_precision
            lines.append(f"  discern's own {name} beside its fp32: {comparison.describe()}")
        if self.accuracy is not None:
            lines.append(
                f"  accuracy on {self.accuracy.count} {self.accuracy.split} pictures: "
                f"{100 * self.accuracy.exported:.1f} % (discern: {100 * self.accuracy.ours:.1f} %)"
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
    same, least = certificate.same_pixels, AGREEMENT[certificate.precision]
    if same.label_agreement < least:
        faults.append(
            f"only {100 * same.label_agreement:.1f} % of the labels agree on the same pixels, at least "
            f"{100 * least:g} % must; it answers differently on {_list(same.differing)}"
        )
    # Written so that it refuses NaN, too.
    if certificate.precision == "fp32" and not same.largest_probability_difference <= MOST_DIFFERENCE_FP32:
        faults.append(
            f"probabilities differ by up to {same.largest_probability_difference:.2g}, at most "
            f"{MOST_DIFFERENCE_FP32:g} is rounding"
        )
    files = certificate.from_files
    if len(files.differing) > max(1, files.count // 100):
        faults.append(
            f"only {100 * files.label_agreement:.1f} % of the labels agree with those of discern predict; it answers "
            f"differently on {_list(files.differing)}"
        )
    accuracy = certificate.accuracy
    if accuracy is not None and accuracy.drop > max_drop:
        faults.append(
            f"accuracy on {accuracy.count} {accuracy.split} pictures falls from {100 * accuracy.ours:.1f} % to "
            f"{100 * accuracy.exported:.1f} %, by more than --max-drop {max_drop:g}"
        )
    return faults


def _list(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:_SHOWN]) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")
