"""A trained classifier from disk, ready for use."""

from pathlib import Path

import torch

from discern.bundle import Bundle, load_bundle
from discern.inference import Predictor
from discern.runtime import resolve_runtime


def load(run: str | Path, *, device: str = "auto") -> Predictor:
    """Return the classifier of a run folder or bundle, computing with the precision that its run was set to.

    Raises:
        BundleError: There is none, or it cannot be understood.
    """
    return build_predictor(load_bundle(Path(run)), device=device)


def build_predictor(bundle: Bundle, *, device: str = "auto") -> Predictor:
    """Return a bundle's classifier on a device; the process' threads and determinism are left as they are."""
    precision = bundle.facts.get("settings", {}).get("run", {}).get("precision", "auto")
    runtime = resolve_runtime(
        device=device, precision=precision, determinism=torch.are_deterministic_algorithms_enabled()
    )
    return Predictor(bundle, runtime)
