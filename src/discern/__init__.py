"""Discern turns labelled photos into an image classifier you can trust, ship and explain."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discern.errors import DiscernError
    from discern.estimator import ImageClassifier
    from discern.predictor.load import load
    from discern.workflows.audit import audit
    from discern.workflows.compare import compare
    from discern.workflows.diff import diff
    from discern.workflows.evaluate import evaluate
    from discern.workflows.explain import explain
    from discern.workflows.export import export
    from discern.workflows.predict import predict
    from discern.workflows.report import report
    from discern.workflows.review import review
    from discern.workflows.serve import serve
    from discern.workflows.train import Run, resume, train
    from discern.workflows.tune import tune

__all__ = [
    "DiscernError",
    "ImageClassifier",
    "Run",
    "audit",
    "compare",
    "diff",
    "evaluate",
    "explain",
    "export",
    "load",
    "predict",
    "report",
    "resume",
    "review",
    "serve",
    "train",
    "tune",
]

_HOMES = {
    "DiscernError": "discern.errors",
    "ImageClassifier": "discern.estimator",
    "Run": "discern.workflows.train",
    "audit": "discern.workflows.audit",
    "compare": "discern.workflows.compare",
    "diff": "discern.workflows.diff",
    "evaluate": "discern.workflows.evaluate",
    "explain": "discern.workflows.explain",
    "export": "discern.workflows.export",
    "load": "discern.predictor.load",
    "predict": "discern.workflows.predict",
    "report": "discern.workflows.report",
    "resume": "discern.workflows.train",
    "review": "discern.workflows.review",
    "serve": "discern.workflows.serve",
    "train": "discern.workflows.train",
    "tune": "discern.workflows.tune",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import discern` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'discern' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
