"""A trained classifier from disk, ready for use."""

from pathlib import Path

import torch

from discern.models.custom import Network
from discern.predictor.bundle import Bundle, load_bundle
from discern.predictor.hub_bundle import find_run
from discern.predictor.predictor import Predictor
from discern.processes import ALONE, Processes
from discern.runtime import choose_runtime


def load(run: str | Path, *, device: str = "auto", network: Network | None = None) -> Predictor:
    """Return the classifier of a run folder or bundle, which computes with the precision of its run.

    Nothing in the calling process is changed. It works alone, also in a process that torchrun started with others.

    Args:
        run: A run folder or a bundle, also one on the Hugging Face Hub: "hf://user/name", or "hf://user/name@v1" for a
            branch, tag or commit. It is downloaded once, and nothing in it is run.
        device: Where to compute: "auto", "cpu", "cuda", "cuda:1", "mps".
        network: Your own, if the run was trained with one; its weights are those of the run.

    Raises:
        BundleError: There is none, or it cannot be understood.
        ConfigError: The device cannot be used.
    """
    return build_predictor(load_bundle(find_run(run), network), device=device)


def build_predictor(bundle: Bundle, *, device: str = "auto", processes: Processes = ALONE) -> Predictor:
    """Return a bundle's classifier on a device, which shares the pictures with the other processes of a job."""
    record = bundle.record
    machine = None if record is None or record.plan is None else record.plan.machine
    runtime = choose_runtime(
        device=device,
        precision="auto" if machine is None else machine.precision,
        determinism=torch.are_deterministic_algorithms_enabled(),
        processes=processes,
        acceleration="auto" if machine is None or machine.accelerates else "off",
    )
    return Predictor(bundle, runtime)
