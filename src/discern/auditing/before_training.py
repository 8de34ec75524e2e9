"""The audit that a training run does of its pictures."""

import logging

from discern.auditing.build import Audit, build_audit
from discern.auditing.label_errors import find_label_errors
from discern.auditing.pretrained_features import compute_labelled_features
from discern.config.settings import Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.prepare import PreparedPictures
from discern.runtime import Runtime

logger = logging.getLogger("discern")


def audit_before_training(
    pictures: PreparedPictures, settings: Settings, runtime: Runtime, cache: ArrayCache
) -> Audit | None:
    """Audit pictures in the form that `data.audit` asks for and log a line for each finding; None where it is off."""
    table, fingerprints, form = pictures.checked.table, pictures.checked.fingerprints, settings.data.audit
    if form == "off" or fingerprints is None or pictures.duplicates is None:
        return None
    features = compute_labelled_features(table, fingerprints, settings, runtime, cache) if form == "full" else None
    found = build_audit(
        table,
        fingerprints,
        pictures.duplicates,
        fractions=settings.data.split,
        form=form,
        more=[] if features is None else find_label_errors(table, features, pictures.duplicates),
    )
    for finding in found.findings:
        level = logging.DEBUG if finding.severity == "note" else logging.WARNING
        logger.log(level, "audit: %d x %s", finding.count, finding.title)
    if found.findings:
        logger.info("audit: see audit.json; `discern audit` looks closer and proposes fixes")
    return found
