"""Discern turns labelled photos into an image classifier you can trust, ship and explain."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discern.errors import DiscernError
    from discern.estimator import ImageClassifier
    from discern.workflows.evaluate import evaluate
    from discern.workflows.explain import explain
    from discern.workflows.loading import load
    from discern.workflows.predict import predict
    from discern.workflows.train import Run, resume, train

__all__ = ["DiscernError", "ImageClassifier", "Run", "evaluate", "explain", "load", "predict", "resume", "train"]

_HOMES = {
    "DiscernError": "discern.errors",
    "ImageClassifier": "discern.estimator",
    "Run": "discern.workflows.train",
    "evaluate": "discern.workflows.evaluate",
    "explain": "discern.workflows.explain",
    "load": "discern.workflows.loading",
    "predict": "discern.workflows.predict",
    "resume": "discern.workflows.train",
    "train": "discern.workflows.train",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import discern` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'discern' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
