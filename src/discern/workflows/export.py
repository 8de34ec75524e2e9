"""A trained classifier as one file for other runtimes, which appears only when it is proven to answer alike."""

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from discern.data.reading.dataset import decode_row
from discern.data.sources.load import Source
from discern.data.table import ImageTable
from discern.errors import ConfigError, ExportError
from discern.exporting.certificate import Certificate, find_faults
from discern.exporting.description import check_origin, describe_export
from discern.exporting.formats import ExportFormat, ExportOrder, check_precision, find_format, find_format_of
from discern.exporting.measurement import OwnAnswers, measure
from discern.exporting.pictures import choose_pictures, draw_training_pictures, load_pictures
from discern.exporting.quantization import CALIBRATION_PICTURES
from discern.files import compute_sha256, replacing, write_json
from discern.predictor.bundle import WEIGHTS_FILE, load_bundle
from discern.predictor.load import build_predictor
from discern.predictor.predictor import Predictor
from discern.run_folder import RunFolder
from discern.runtime import Runtime, resolve_runtime

logger = logging.getLogger("discern")

MAX_DROP = 0.01


def export(
    run: str | Path,
    *,
    export_format: str = "onnx",
    precision: str = "fp32",
    out: Path | None = None,
    max_drop: float = MAX_DROP,
    data: Source | None = None,
) -> Path:
    """Write a classifier as one file with a certificate beside it, and return the file's path.

    Args:
        run: A run folder, or a bundle with `data`.
        export_format: "onnx", "torch" or "openvino", which writes a .bin file of the same name, too.
        precision: "fp32", "fp16" or "int8", as far as the format has it.
        out: The file to write; RUN/export/NAME by default.
        max_drop: The accuracy, in 0..1, that may be lost on the validation pictures.
        data: Labelled pictures to prove it on, instead of the run's own.

    Raises:
        ExportError: It cannot be written, or does not answer as the classifier does; no file is left.
        DataError: The pictures cannot be used.
    """
    chosen = find_format(export_format)
    checked = check_precision(chosen, precision)
    subject = _Subject(Path(run), data)
    path = out or subject.default_path(chosen, precision)
    if path.suffix != chosen.suffix:
        raise ConfigError(f"{path}: a file of the format {chosen.name} ends in {chosen.suffix}; give another --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = describe_export(subject.bundle, precision, subject.weights_sha256)
    order = ExportOrder(subject.bundle, checked, metadata, subject.training_pixels())
    with _staging(chosen.list_files(path)) as staged:
        chosen.write(order, staged)
        certificate = subject.certify(staged, chosen)
        _judge(certificate, max_drop, f"{path} was not written")
    _write(certificate, path)
    return path


def verify_export(
    run: str | Path, file: Path, *, max_drop: float = MAX_DROP, data: Source | None = None
) -> Certificate:
    """Repeat the certificate of an exported file, which is written anew beside it.

    Raises:
        ExportError: It cannot be read, is not of this run, was changed since its certificate was issued, or does not
            answer as the classifier does. The file and its old certificate stay.
        DataError: The pictures cannot be used.
    """
    if not file.is_file():
        raise ExportError(f"{file}: no such file; --verify needs one that discern export wrote")
    chosen = find_format_of(file)
    _check_unchanged(chosen.list_files(file))
    subject = _Subject(Path(run), data)
    certificate = subject.certify(file, chosen)
    _judge(certificate, max_drop, f"{file} must not be used")
    _write(certificate, file)
    return certificate


class _Subject:
    """The classifier that is exported, on the CPU, and the pictures that it is proven on."""

    def __init__(self, run: Path, data: Source | None) -> None:
        self.run = run
        self.bundle = load_bundle(run)
        self.weights_sha256 = compute_sha256(_bundle_folder(run) / WEIGHTS_FILE)
        self._table = load_pictures(run, data, self.bundle.class_names)

    def default_path(self, chosen: ExportFormat, precision: str) -> Path:
        """Return a place in the run folder, or beside the bundle, with the precision in its name unless fp32."""
        root = (self.run.parent if self.run.name == "bundle" else self.run).resolve()
        mark = "" if precision == "fp32" else f".{precision}"
        return RunFolder(root).export / f"{root.name}{mark}{chosen.suffix}"

    def training_pixels(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Decode training pictures, as the ranges of int8 need them."""
        drawn = draw_training_pictures(self._table, CALIBRATION_PICTURES)
        for row in range(len(drawn)):
            yield np.asarray(decode_row(drawn, row, max_pixels=self.bundle.max_pixels))

    def certify(self, path: Path, chosen: ExportFormat) -> Certificate:
        """Measure a file on the pictures."""
        own_runtime = build_predictor(self.bundle, device="cpu").runtime
        runtime = resolve_runtime(device="cpu", precision="fp32")
        exported = chosen.load(path, runtime.threads)
        check_origin(exported.metadata, self.bundle, self.weights_sha256, path.name)
        pictures = choose_pictures(self._table, self.bundle.max_pixels)
        logger.info("comparing answers to %d pictures", len(pictures))
        predictor = Predictor(self.bundle, runtime)
        own = OwnAnswers(
            predictor.predict_probabilities(pictures), self._answer_in_own_precision(pictures, own_runtime)
        )
        return measure(exported, chosen.list_files(path), chosen.name, pictures, predictor, own)

    def _answer_in_own_precision(
        self, pictures: ImageTable, runtime: Runtime
    ) -> tuple[str, npt.NDArray[np.float64]] | None:
        if runtime.precision == "fp32":
            return None
        return runtime.precision, Predictor(self.bundle, runtime).predict_probabilities(pictures)


def _judge(certificate: Certificate, max_drop: float, consequence: str) -> None:
    for line in certificate.describe():
        logger.info("%s", line)
    faults = find_faults(certificate, max_drop)
    if faults:
        raise ExportError(f"{consequence}, since it does not answer as the classifier does: {'; '.join(faults)}")


@contextmanager
def _staging(files: tuple[Path, ...]) -> Iterator[Path]:
    """Yield a path to write the first file to, and the others beside it; they take their places together, or none does.

    The first, which names the others, comes last.
    """
    with ExitStack() as stack:
        places = [stack.enter_context(replacing(file)) for file in files]
        name = files[0].name
        folder = Path(stack.enter_context(TemporaryDirectory(prefix=f".{name}.", dir=files[0].parent)))
        yield folder / name
        for file, place in zip(files, places, strict=True):
            (folder / file.name).replace(place)


def _check_unchanged(files: tuple[Path, ...]) -> None:
    """Raise when files are not those that the certificate beside them was issued for."""
    file = files[0]
    missing = [companion.name for companion in files if not companion.is_file()]
    if missing:
        raise ExportError(f"{file} needs {', '.join(missing)} beside it, which is not there; export it anew")
    beside = certificate_path(file)
    if not beside.is_file():
        return
    try:
        issued = json.loads(beside.read_text(encoding="utf-8"))
        expected = [str(issued["sha256"]), *dict(issued["companions"]).values()]
    except (ValueError, KeyError, TypeError):
        raise ExportError(f"{beside} is damaged; remove it to have the file measured anew") from None
    changed = [str(each) for each, sha256 in zip(files, expected, strict=False) if compute_sha256(each) != sha256]
    if changed:
        raise ExportError(
            f"{' and '.join(changed)} was changed after its certificate was issued; export it anew, or remove "
            f"{beside.name} to have it measured as it is"
        )


def _write(certificate: Certificate, path: Path) -> None:
    write_json(certificate_path(path), certificate.to_dict())
    logger.info("certificate: %s", certificate_path(path))


def certificate_path(file: Path) -> Path:
    """Return where the certificate of an exported file lies."""
    return file.with_name(f"{file.name}.certificate.json")


def _bundle_folder(run: Path) -> Path:
    return run / "bundle" if (run / "bundle").is_dir() else run
