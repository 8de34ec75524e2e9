"""Exports a trained classifier: for other runtimes, after a check that both give the same answers, or to give away."""

import logging
from contextlib import nullcontext
from pathlib import Path

from discern.console import reporting
from discern.data.sources.load import Source
from discern.errors import OUT, ConfigError, ExportError, option
from discern.exporting.certificate import Certificate
from discern.exporting.certificate_file import check_certificate, check_unchanged, save_certificate
from discern.exporting.description import PAGE, WEIGHTS
from discern.exporting.formats import check_precision, check_tta, find_format, find_format_of
from discern.exporting.public_bundle import make_public
from discern.exporting.staging import staging
from discern.exporting.subject import ExportSubject
from discern.exporting.usage import save_usage
from discern.exporting.web_runtime import keep_web_runtime
from discern.models.custom import Network
from discern.ownership import owning
from discern.predictor.bundle import load_bundle, save_bundle
from discern.predictor.hub_bundle import check_place, find_run
from discern.reports.bundle_card import write_bundle_card

logger = logging.getLogger("discern")

MAX_DROP = 0.01


def export(
    run: str | Path,
    *,
    export_format: str = "onnx",
    precision: str = "fp32",
    tta: str | None = None,
    out: str | Path | None = None,
    max_drop: float = MAX_DROP,
    data: Source | None = None,
    network: Network | None = None,
    runtime: str | Path | None = None,
    verbose: bool = True,
) -> Path:
    """Write a classifier as one file with a certificate beside it, and return the file's path.

    Args:
        run: A run folder, or a bundle with `data`; see `discern.load`.
        export_format: A name of `discern.exporting.formats.EXPORT_FORMATS`: "onnx", "torch", "html", "state-dict" or
            "pth", or one of your own. "html" is a page that classifies in any browser. The last two are weights for
            torchvision or timm; the facts to use them with and an example are written beside the file.
        precision: "fp32", "fp16" or "int8", if the format supports it.
        tta: Test-time augmentation inside the file: "none", "flip" or "five"; by default as trained. Weights alone can
            have none.
        out: The file to write; RUN/export/NAME by default.
        max_drop: Largest loss of accuracy, in 0..1, that is accepted on the validation pictures.
        data: Labelled pictures for the check, instead of the run's own.
        network: Your own, if the run was trained with one.
        runtime: For "html", onnxruntime-web as npm gives it, a .tgz file or a folder; it is kept for later exports.
        verbose: Show progress on standard output.

    Raises:
        ConfigError: There is no such format, or the name of the file or an option does not fit it.
        ExportError: The file cannot be written, or gives other answers than the classifier; no file is left.
        DataError: The pictures cannot be used.
    """
    chosen = find_format(export_format)
    checked = check_precision(chosen, precision)
    if out is not None and Path(out).suffix != chosen.suffix:
        raise ConfigError(f"{out}: a file of the format {chosen.name} ends in {chosen.suffix}; give another ", OUT)
    check_place(run, out)
    if runtime is not None and chosen.interface is not PAGE:
        raise ConfigError(option("runtime"), f" is for the format html, and this is {chosen.name}; leave it out")
    with reporting(verbose=verbose):
        if runtime is not None:
            keep_web_runtime(Path(runtime))
        subject = ExportSubject(find_run(run), data, network, tta)
        check_tta(chosen, subject.bundle.tta)
        file = subject.default_path(chosen, checked) if out is None else Path(out)
        with owning(subject.root, "discern export") if out is None else nullcontext():
            file.parent.mkdir(parents=True, exist_ok=True)
            with staging(file) as staged:
                chosen.write(subject.build_order(chosen, checked), staged)
                certificate = subject.certify(staged, chosen)
                check_certificate(certificate, max_drop, f"{file} was not written")
            save_certificate(certificate, file)
            if chosen.interface is WEIGHTS:
                save_usage(file)
        return file


def export_public(run: str | Path, out: str | Path, *, network: Network | None = None, verbose: bool = True) -> Path:
    """Write the bundle of a run without paths, pictures and features of its training pictures, and return its folder.

    It is used as every bundle is; what needs features of training pictures (familiarity, similar pictures) is missing.

    Args:
        run: A run folder or a bundle.
        out: The folder to write; new or empty.
        network: Your own, if the run was trained with one.
        verbose: Show progress on standard output.

    Raises:
        ConfigError: The folder holds files.
        BundleError: The run has no classifier that can be read.
    """
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already and not an empty folder; give a new one to write the bundle to")
    with reporting(verbose=verbose):
        save_bundle(make_public(load_bundle(find_run(run), network)), folder)
        write_bundle_card(folder)
        logger.info(
            "without features of training pictures, it does not say how familiar a picture is and finds no similar ones"
        )
    return folder


def verify_export(
    run: str | Path,
    file: str | Path,
    *,
    max_drop: float = MAX_DROP,
    data: Source | None = None,
    network: Network | None = None,
    verbose: bool = True,
) -> Certificate:
    """Check an exported file again and renew its certificate.

    Raises:
        ExportError: The file cannot be read, is not of this run, was changed after its certificate was issued, or gives
            other answers than the classifier. The file and its old certificate are kept.
        DataError: The pictures cannot be used.
    """
    file = Path(file)
    if not file.is_file():
        raise ExportError(f"{file}: no such file; give one that discern export wrote")
    chosen = find_format_of(file)
    with reporting(verbose=verbose):
        check_unchanged(file)
        certificate = ExportSubject(find_run(run), data, network).certify(file, chosen)
        check_certificate(certificate, max_drop, f"{file} must not be used")
        save_certificate(certificate, file)
        return certificate
