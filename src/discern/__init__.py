"""Discern turns labelled photos into an image classifier you can trust, ship and explain."""

from importlib import import_module
from typing import TYPE_CHECKING

from discern.version import __version__

if TYPE_CHECKING:
    from discern.data.reading.augment import register_augmentation
    from discern.engine.optimizers import register_optimizer
    from discern.engine.schedules import register_schedule
    from discern.errors import (
        BadImageError,
        BadImagesError,
        BundleError,
        ConfigError,
        DataError,
        DiscernError,
        ExportError,
        RunFolderError,
        TrainingError,
        WeightsError,
    )
    from discern.estimator import ImageClassifier
    from discern.evaluation.metrics import Metrics
    from discern.evaluation.predictions import Predictions
    from discern.explanation.methods import register_explanation
    from discern.exporting.formats import register_export_format
    from discern.models.backbone import register_backbone
    from discern.models.heads import register_head
    from discern.planning.plan import Plan
    from discern.predictor.bundle import Bundle
    from discern.predictor.load import load
    from discern.predictor.predictor import Predictor
    from discern.reports.run import Run
    from discern.tracking.tracker import Tracker, register_tracker
    from discern.training.history import EpochRow
    from discern.training.listeners import Listener
    from discern.workflows.audit import audit
    from discern.workflows.compare import compare
    from discern.workflows.diff import diff
    from discern.workflows.evaluate import evaluate
    from discern.workflows.explain import explain
    from discern.workflows.export import export, export_public
    from discern.workflows.fieldcheck import fieldcheck
    from discern.workflows.label import label
    from discern.workflows.leave_out import leave_out
    from discern.workflows.merge_labels import merge_labels
    from discern.workflows.predict import predict
    from discern.workflows.push import push
    from discern.workflows.report import report
    from discern.workflows.resume import resume
    from discern.workflows.review import review
    from discern.workflows.serve import serve
    from discern.workflows.studio import studio
    from discern.workflows.train import train
    from discern.workflows.tune import tune
    from discern.workflows.verify import make_key, verify

_HOMES = {
    "BadImageError": "errors",
    "BadImagesError": "errors",
    "Bundle": "predictor.bundle",
    "BundleError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "DiscernError": "errors",
    "EpochRow": "training.history",
    "ExportError": "errors",
    "ImageClassifier": "estimator",
    "Listener": "training.listeners",
    "Metrics": "evaluation.metrics",
    "Plan": "planning.plan",
    "Predictions": "evaluation.predictions",
    "Predictor": "predictor.predictor",
    "Run": "reports.run",
    "RunFolderError": "errors",
    "Tracker": "tracking.tracker",
    "TrainingError": "errors",
    "WeightsError": "errors",
    "audit": "workflows.audit",
    "compare": "workflows.compare",
    "diff": "workflows.diff",
    "evaluate": "workflows.evaluate",
    "explain": "workflows.explain",
    "export": "workflows.export",
    "export_public": "workflows.export",
    "fieldcheck": "workflows.fieldcheck",
    "label": "workflows.label",
    "leave_out": "workflows.leave_out",
    "load": "predictor.load",
    "make_key": "workflows.verify",
    "merge_labels": "workflows.merge_labels",
    "predict": "workflows.predict",
    "push": "workflows.push",
    "register_augmentation": "data.reading.augment",
    "register_backbone": "models.backbone",
    "register_explanation": "explanation.methods",
    "register_export_format": "exporting.formats",
    "register_head": "models.heads",
    "register_optimizer": "engine.optimizers",
    "register_schedule": "engine.schedules",
    "register_tracker": "tracking.tracker",
    "report": "workflows.report",
    "resume": "workflows.resume",
    "review": "workflows.review",
    "serve": "workflows.serve",
    "studio": "workflows.studio",
    "train": "workflows.train",
    "tune": "workflows.tune",
    "verify": "workflows.verify",
}

__all__ = [
    "BadImageError",
    "BadImagesError",
    "Bundle",
    "BundleError",
    "ConfigError",
    "DataError",
    "DiscernError",
    "EpochRow",
    "ExportError",
    "ImageClassifier",
    "Listener",
    "Metrics",
    "Plan",
    "Predictions",
    "Predictor",
    "Run",
    "RunFolderError",
    "Tracker",
    "TrainingError",
    "WeightsError",
    "__version__",
    "audit",
    "compare",
    "diff",
    "evaluate",
    "explain",
    "export",
    "export_public",
    "fieldcheck",
    "label",
    "leave_out",
    "load",
    "make_key",
    "merge_labels",
    "predict",
    "push",
    "register_augmentation",
    "register_backbone",
    "register_explanation",
    "register_export_format",
    "register_head",
    "register_optimizer",
    "register_schedule",
    "register_tracker",
    "report",
    "resume",
    "review",
    "serve",
    "studio",
    "train",
    "tune",
    "verify",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import discern` is fast."""
    if name not in _HOMES:
        raise AttributeError(f"module 'discern' has no attribute {name!r}")
    return getattr(import_module(f"discern.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
