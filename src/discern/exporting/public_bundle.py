"""A bundle to give away: the same classifier, without paths, pictures and features of the pictures it was made from."""

from dataclasses import replace
from pathlib import Path

from discern.environment import DataRecord, Environment
from discern.planning.plan import Plan
from discern.predictor.bundle import Bundle
from discern.predictor.record import TrainingRecord


def make_public(bundle: Bundle) -> Bundle:
    """Return a bundle that gives the same answers and does not say where its pictures were, or what they show.

    Without features of training pictures, it cannot tell how familiar a picture is, or which ones are similar. The
    predictions for the validation pictures stay, without their names, so that error rates can be guaranteed.
    """
    evidence = None if bundle.evidence is None else replace(bundle.evidence, similarities=None)
    record = None if bundle.record is None else _make_record_public(bundle.record)
    return replace(bundle, evidence=evidence, feature_bank=None, record=record)


def _make_record_public(record: TrainingRecord) -> TrainingRecord:
    known = record.environment
    weights = known.weights and known.weights.model_copy(update={"source": _hide_folder(known.weights.source)})
    environment = Environment(
        python=known.python,
        platform=known.platform,
        processor=known.processor,
        packages=known.packages,
        runtime=known.runtime,
        data=DataRecord(),
        weights=weights,
    )
    plan = None if record.plan is None else _make_plan_public(record.plan)
    return record.model_copy(update={"environment": environment, "plan": plan})


def _make_plan_public(plan: Plan) -> Plan:
    """Return a plan without the folders of cache, weights and teacher, and reasons, which may name them."""
    reading = plan.reading.model_copy(update={"folder": Path("cache")})
    teacher = plan.training.teacher
    if teacher is not None:
        teacher = teacher.model_copy(update={"root": Path(teacher.root.name)})
    training = plan.training.model_copy(update={"teacher": teacher})
    weights = _hide_folder(plan.weights)
    return plan.model_copy(update={"reading": reading, "training": training, "weights": weights, "reasons": {}})


def _hide_folder(source: str) -> str:
    """Return the name of a file without its folder; an address and the name of published weights stay."""
    return source if source.startswith(("http://", "https://")) else Path(source).name
