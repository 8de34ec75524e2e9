"""Labelled pictures in; what is wrong with them out, with fixes to apply. No file of the user's is touched."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.auditing.build import Audit, Form, build_audit, describe_findings, find_unlisted
from discern.auditing.feature_neighbours import propose_copies
from discern.auditing.findings import Finding
from discern.auditing.label_errors import build_label_findings, find_label_issues, has_cleanlab, predict_out_of_fold
from discern.config.load import load_settings
from discern.config.settings import Settings
from discern.data.cache.home import build_cache
from discern.data.duplicates.fingerprints import Fingerprints, compute_fingerprints
from discern.data.duplicates.matching import Duplicates, find_duplicates
from discern.data.duplicates.perceptual_hash import WIDE_VIEWS
from discern.data.load import CheckedPictures, load_fixed
from discern.data.reading.preprocess import Preprocess
from discern.data.sources.folder import walk_pictures
from discern.data.sources.load import Source
from discern.data.table import ImageTable
from discern.engine.frozen_features import compute_frozen_features
from discern.errors import WeightsError
from discern.files import write_atomically, write_json
from discern.models.build import build_classifier
from discern.models.weights.catalog import PUBLISHED_NAMES, find_weights
from discern.models.weights.pretrained import discern_home, load_pretrained
from discern.planning.choices import choose_architecture, choose_image_size
from discern.planning.start import choose_unseen, settle_unseen
from discern.processes import ALONE
from discern.reports.audit_page import write_audit_page
from discern.runtime import Runtime, resolve_runtime

logger = logging.getLogger("discern")

_MEMORY_BYTES = 2**30


class _Seen(NamedTuple):
    """Features (N, F) of the pictures at `rows` of a table, as a pretrained network sees them."""

    rows: npt.NDArray[np.int64]
    features: npt.NDArray[np.float32]


def audit(source: Source, *, out: Path, overrides: Sequence[str] = (), form: Form = "full") -> Audit:
    """Write audit.json, audit.html and fixes.csv to the folder `out`, and say what was found, worst first.

    Raises:
        DataError: The source is not understood.
        ConfigError: A setting is not.
        WeightsError: Weights were named that cannot be used.
    """
    settings = load_settings("auto", overrides)
    table = load_fixed(source, settings.data).table
    cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
    fingerprints = compute_fingerprints(table, cache, max_pixels=settings.data.max_pixels)
    seen = None
    if form == "full":
        runtime = resolve_runtime(device=settings.run.device, threads=settings.run.threads)
        seen = _see(table, fingerprints, settings, runtime)
    candidates = None if seen is None else propose_copies(seen.features, seen.rows)
    duplicates = find_duplicates(fingerprints, candidates=candidates, candidate_views=WIDE_VIEWS)
    more = _find_unlisted_files(source, settings, table)
    if seen is not None:
        more += _find_label_errors(table, seen, duplicates)
    found = build_audit(table, fingerprints, duplicates, fractions=settings.data.split, form=form, more=more)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "audit.json", found.content)
    write_atomically(out / "fixes.csv", found.build_fixes().to_csv(index=False, float_format="%.4f"))
    write_audit_page(found.content, table, out / "audit.html", max_pixels=settings.data.max_pixels)
    _tell(found, out)
    return found


def audit_before_training(
    pictures: CheckedPictures, duplicates: Duplicates | None, settings: Settings, runtime: Runtime
) -> Audit | None:
    """Audit pictures in the form that `data.audit` asks for and say in short what was found; None where it is off."""
    if settings.data.audit == "off" or pictures.fingerprints is None or duplicates is None:
        return None
    more: list[Finding] = []
    if settings.data.audit == "full":
        seen = _see(pictures.table, pictures.fingerprints, settings, runtime)
        more = [] if seen is None else _find_label_errors(pictures.table, seen, duplicates)
    found = build_audit(
        pictures.table,
        pictures.fingerprints,
        duplicates,
        fractions=settings.data.split,
        form=settings.data.audit,
        more=more,
    )
    for finding in found.findings:
        level = logging.INFO if finding.severity == "note" else logging.WARNING
        logger.log(level, "audit: %d x %s", finding.count, finding.title)
    if found.findings:
        logger.info("audit: see audit.json; `discern audit` looks closer and proposes fixes")
    return found


def _tell(found: Audit, out: Path) -> None:
    content = found.content
    logger.info("%d pictures of %d classes", content["count"], len(content["class_names"]))
    for line in describe_findings(found.findings):
        logger.info("%s", line)
    if not found.findings:
        logger.info("nothing to complain about")
    if content["balance"] is not None:
        logger.info("%s", content["balance"]["explanation"])
    logger.info("written: %s; look through fixes.csv, then: discern train DATA --apply %s", out, out / "fixes.csv")


def _find_unlisted_files(source: Source, settings: Settings, table: ImageTable) -> list[Finding]:
    """Return the finding for files in the folder of a CSV's pictures that no row names."""
    if not isinstance(source, str | Path) or Path(source).suffix.lower() not in (".csv", ".tsv"):
        return []
    root = settings.data.image_root or Path(source).parent
    named = {str(Path(path).absolute()) for path in table.frame["path"]}
    files, _ = walk_pictures(root)
    return find_unlisted([name for name in files if str((root / name).absolute()) not in named], str(root))


def _see(table: ImageTable, fingerprints: Fingerprints, settings: Settings, runtime: Runtime) -> _Seen | None:
    """Compute features of the labelled pictures, or say why there are none."""
    settings = settle_unseen(settings)
    rows = np.flatnonzero(fingerprints.is_usable & table.frame["label"].notna().to_numpy())
    reason = _find_obstacle(settings)
    if reason or len(rows) < 2:
        logger.info("wrong labels were not looked for: %s", reason or "there are no labelled pictures")
        return None
    # Each process for itself, one after the other: the later ones find in the cache what the first has computed.
    return _Seen(rows, _compute_features(table.take(rows), settings, replace(runtime, processes=ALONE)))


def _find_label_errors(table: ImageTable, seen: _Seen, duplicates: Duplicates) -> list[Finding]:
    """Return the finding of wrong labels."""
    if len(table.class_names) < 2:
        return []
    if not has_cleanlab():
        logger.info("wrong labels were not looked for: cleanlab is missing (pip install 'discern[labels]')")
        return []
    part = table.take(seen.rows)
    targets = part.targets()
    probabilities = predict_out_of_fold(seen.features, targets, duplicates.clusters[seen.rows])
    accuracy = float((probabilities.argmax(axis=1) == targets).mean())
    logger.info("labels were compared with a classifier that tells the classes apart at %.0f%%", 100 * accuracy)
    return build_label_findings(part, find_label_issues(targets, probabilities))


def _find_obstacle(settings: Settings) -> str:
    """Say why there can be no features of a pretrained network; nothing is downloaded for an audit."""
    model = settings.model
    if model.weights == "none":
        return "model.weights=none, and features of random weights say nothing"
    if model.weights in PUBLISHED_NAMES:
        with suppress(WeightsError):
            published = find_weights(model.backbone, model.weights)
            if (discern_home() / "weights" / published.file_name).is_file():
                return ""
        return f"no weights of {model.backbone} are here; give model.weights=FILE, or discern weights fetch"
    return ""


def _compute_features(table: ImageTable, settings: Settings, runtime: Runtime) -> npt.NDArray[np.float32]:
    backbone = build_classifier(choose_architecture(settings.model), len(table.class_names)).backbone
    load_pretrained(backbone, settings.model.weights, cache_folder=discern_home() / "weights")
    runtime.place(backbone)
    return compute_frozen_features(
        backbone,
        table,
        Preprocess(choose_image_size(settings, table), choose_unseen(settings).fit, backbone.mean, backbone.std),
        runtime,
        build_cache(settings.cache.folder, settings.cache.limit_gigabytes),
        max_pixels=settings.data.max_pixels,
        memory_bytes=_MEMORY_BYTES,
    )
