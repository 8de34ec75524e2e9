"""Builds the bundle of an ensemble from those of its members, each of which has not seen another fold.

There is no soup of averaged weights (Wortsman et al., "Model soups", 2022, https://arxiv.org/abs/2203.05482), although
it would cost no more than one network: every picture of the folds was trained on by some member, so none is left to
show that the average is as good, and the test split may not choose. The mean of probabilities needs no such proof:
on any pictures its loss, like its Brier score, is at most the mean of its members'.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from discern.counts import count_of
from discern.data.cache.array_cache import ArrayCache
from discern.data.table import ImageTable
from discern.engine.frozen_features import compute_frozen_features
from discern.evaluation.predictions import OUT_OF_FOLD
from discern.models.ensemble import build_ensemble, find_shared_backbones
from discern.planning.plan import Plan
from discern.predictor.bundle import Bundle
from discern.predictor.calibration import compute_probabilities
from discern.predictor.evidence import gather_evidence
from discern.predictor.feature_bank import FeatureBank, build_feature_bank, choose_bank_rows
from discern.runtime import Runtime
from discern.training.calibrating import calibrate

logger = logging.getLogger("discern")

_MEMORY_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What members gave for pictures that each had not seen, in the order of the pictures (N).

    `logits` (N, K) are logarithms of probabilities, so that those of all members are on one scale; `similarities` (N,)
    are to the pictures that the member was trained on, None without a feature bank.
    """

    logits: Tensor
    similarities: npt.NDArray[np.float64] | None


def build_ensemble_bundle(
    members: Sequence[Bundle], plan: Plan, pool: ImageTable, held_out: HeldOut, runtime: Runtime, cache: ArrayCache
) -> Bundle:
    """Return an ensemble with all that is needed to use it, except the record of its training.

    Calibration and evidence come from the out-of-fold pictures, each answered by the one member that had not seen it.
    Each member is calibrated, and the ensemble is the mean. All processes of a job must call this, and all get the same
    bundle.

    Args:
        members: Their bundles, with the same architecture and classes.
        plan: Of each member.
        pool: The pictures (N) of all folds.
        held_out: The answers of members to the pictures of their folds.
        runtime: Device, precision and processes.
        cache: Where the features of frozen networks are.
    """
    targets = pool.targets()
    calibration = calibrate(held_out.logits, targets, plan.training.calibration, split=OUT_OF_FOLD)
    probabilities = compute_probabilities(held_out.logits, calibration)
    classifiers = [member.classifier for member in members]
    places = find_shared_backbones(classifiers)
    ensemble = build_ensemble(classifiers, places, *calibration.compute_scales(len(pool.class_names)))
    runtime.place(ensemble)
    architecture = members[0].architecture.model_copy(update={"members": places})
    backbones = len(set(places))
    logger.info(
        "an ensemble of %d members with %s: an answer takes %sas long as with one network",
        len(members),
        count_of(backbones, "backbone"),
        "" if backbones == 1 else f"{backbones} times ",
    )
    return replace(
        members[0],
        classifier=ensemble.eval(),
        architecture=architecture,
        calibration=calibration.model_copy(update={"is_inside": True}),
        evidence=gather_evidence(probabilities, targets, held_out.similarities),
        feature_bank=_build_bank(members, places, plan, pool, runtime, cache),
        record=None,
    )


def _build_bank(
    members: Sequence[Bundle],
    places: Sequence[int],
    plan: Plan,
    pool: ImageTable,
    runtime: Runtime,
    cache: ArrayCache,
) -> FeatureBank | None:
    """Return the feature bank of the pictures of all folds; those of a backbone that stayed frozen are in the cache."""
    rows = choose_bank_rows(pool.targets(), plan.training.feature_bank, seed=plan.seed)
    if not len(rows):
        return None
    kept = pool.take(rows)
    backbones = [members[list(places).index(place)].classifier.backbone for place in sorted(set(places))]
    features = [
        compute_frozen_features(
            backbone,
            kept,
            plan.preprocess,
            runtime,
            cache,
            max_pixels=plan.reading.max_pixels,
            memory_bytes=_MEMORY_BYTES,
        )[:, : backbone.num_last_features]
        for backbone in backbones
    ]
    return build_feature_bank(np.concatenate(features, axis=1), kept.frame)
