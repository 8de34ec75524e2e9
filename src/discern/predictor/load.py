"""A trained classifier from disk, ready for use."""

from pathlib import Path
from typing import Literal

import torch

from discern.predictor.bundle import Bundle, load_bundle
from discern.predictor.predictor import Predictor
from discern.processes import ALONE, Processes
from discern.runtime import resolve_runtime


def load(run: str | Path, *, device: str = "auto") -> Predictor:
    """Return the classifier of a run folder or bundle, computing with the precision that its run was set to.

    It works alone, also in a process that torchrun has started with others.

    Raises:
        BundleError: There is none, or it cannot be understood.
    """
    return build_predictor(load_bundle(Path(run)), device=device)


def build_predictor(bundle: Bundle, *, device: str = "auto", processes: Processes = ALONE) -> Predictor:
    """Return a bundle's classifier on a device, answering in turn with the other processes of a job.

    Determinism is left as it is.
    """
    record = bundle.record
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    if record is not None and record.plan is not None:
        precision = record.plan.machine.precision
    runtime = resolve_runtime(
        device=device,
        precision=precision,
        determinism=torch.are_deterministic_algorithms_enabled(),
        processes=processes,
    )
    return Predictor(bundle, runtime)
