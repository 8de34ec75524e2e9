"""Finds problems in labelled pictures, and proposes fixes; the user's files are not changed."""

import logging
import shlex
from pathlib import Path

from discern.auditing.build import Audit, Form, build_audit, describe_findings
from discern.auditing.feature_neighbours import propose_copies
from discern.auditing.label_errors import find_label_errors
from discern.auditing.pretrained_features import compute_labelled_features
from discern.auditing.unlisted_files import find_unlisted_files
from discern.config.load import load_settings
from discern.config.overrides import Overrides, list_overrides
from discern.console import reporting
from discern.counts import count_of
from discern.data.cache.home import build_cache
from discern.data.duplicates.fingerprints import compute_fingerprints
from discern.data.duplicates.matching import find_duplicates
from discern.data.duplicates.perceptual_hash import WIDE_VIEWS
from discern.data.prepare import load_fixed
from discern.data.sources.inputs import log_ignored
from discern.data.sources.load import Source
from discern.data.table import ImageTable
from discern.errors import Option, RunFolderError, write_python
from discern.files import find_free_folder, write_atomically, write_json
from discern.reports.audit_page import write_audit_page
from discern.run_folder import name_source
from discern.runtime import choose_runtime

logger = logging.getLogger("discern")


def audit(
    source: Source,
    *,
    out: str | Path | None = None,
    overrides: Overrides = (),
    form: Form = "full",
    verbose: bool = True,
) -> Audit:
    """Find bad files, copies, leaks and wrong labels; write audit.json, audit.html and fixes.csv.

    Args:
        source: Labelled pictures in any form that training takes.
        out: The folder to write; runs/NAME-audit by default, with a number if that exists already.
        overrides: Settings that override the defaults: `key=value` strings or a mapping.
        form: "quick" leaves out what needs a pretrained network: wrong labels, and copies that look very different.
        verbose: Show progress and findings on standard output.

    Returns:
        The findings, worst first.

    Raises:
        DataError: The source is not understood.
        ConfigError: A setting is not understood.
        WeightsError: The weights in the settings cannot be used.
        RunFolderError: The folder cannot be created.
    """
    with reporting(verbose=verbose):
        settings = load_settings("auto", list_overrides(overrides))
        table = load_fixed(source, settings.data).table
        log_ignored(table)
        folder = _make_folder(source, out)
        cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
        fingerprints = compute_fingerprints(table, cache, max_pixels=settings.data.max_pixels)
        features = None
        if form == "full":
            runtime = choose_runtime(device=settings.run.device, threads=settings.run.threads)
            with runtime.applied():
                features = compute_labelled_features(table, fingerprints, settings, runtime, cache)
        candidates = None if features is None else propose_copies(features.features, features.rows)
        duplicates = find_duplicates(fingerprints, candidates=candidates, candidate_views=WIDE_VIEWS)
        more = find_unlisted_files(source, table, settings.data.image_root)
        if features is not None:
            more += find_label_errors(table, features, duplicates)
        found = build_audit(table, fingerprints, duplicates, fractions=settings.data.split, form=form, more=more)
        _save(found, table, folder, max_pixels=settings.data.max_pixels)
        _log_findings(found, folder)
    return found


def name_audit(source: Source) -> Path:
    """Return the folder that the audit of a source is written to by default."""
    return find_free_folder(Path("runs"), f"{name_source(source) or 'data'}-audit")


def _make_folder(source: Source, out: str | Path | None) -> Path:
    folder = name_audit(source) if out is None else Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"the folder {folder} cannot be created ({error.strerror}); give another out") from error
    return folder


def _save(found: Audit, table: ImageTable, folder: Path, *, max_pixels: int) -> None:
    write_json(folder / "audit.json", found.content)
    write_atomically(folder / "fixes.csv", found.build_fixes().to_csv(index=False, float_format="%.4f"))
    write_audit_page(found.content, table, folder / "audit.html", max_pixels=max_pixels)


def _log_findings(found: Audit, folder: Path) -> None:
    content = found.content
    classes = count_of(len(content["class_names"]), "class", "classes")
    logger.info("%s of %s", count_of(content["count"], "picture"), classes)
    for line in describe_findings(found.findings):
        logger.info("%s", line)
    if not found.findings:
        logger.info("no problems were found")
    if content["balance"] is not None:
        logger.info("%s", content["balance"]["explanation"])
    if not found.findings:
        logger.info("written: %s", folder)
        return
    fixes = str(folder / "fixes.csv")
    next_step = Option(
        f"discern train DATA --apply {shlex.quote(fixes)}", f"discern.train(data, fixes={write_python(fixes)})"
    )
    logger.info("written: %s; look through fixes.csv, then: %s", folder, next_step)
