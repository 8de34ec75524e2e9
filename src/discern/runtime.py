"""Device, precision, threads and seeds: decided once, printed, recorded."""

import os
import platform
import random
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from discern.errors import ConfigError

Precision = Literal["fp32", "bf16"]

_RECORDED_PACKAGES = ("discern", "torch", "torchvision", "timm", "numpy", "pandas", "pillow", "scikit-learn")


@dataclass(frozen=True)
class Runtime:
    """Where and how a network is computed."""

    device: torch.device
    precision: Precision
    threads: int
    determinism: bool
    reasons: Mapping[str, str]

    def place(self, module: nn.Module) -> nn.Module:
        """Move a network to the device, in channels-last layout, which convolutions in bf16 are fastest in."""
        return module.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def move_images(self, images: Tensor) -> Tensor:
        """Move images (N, 3, H, W) to the device in channels-last layout."""
        return images.to(self.device, non_blocking=True, memory_format=torch.channels_last)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which forward passes run."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def describe(self) -> str:
        """Return one line for people: what was chosen, and why where there was a choice."""
        parts = [f"{name} {getattr(self, name)} ({reason})" for name, reason in self.reasons.items()]
        return ", ".join([*parts, "deterministic" if self.determinism else "not bound to determinism"])

    def to_dict(self) -> dict[str, object]:
        """Return what the run folder records."""
        return {
            "device": str(self.device),
            "precision": self.precision,
            "threads": self.threads,
            "determinism": self.determinism,
            "reasons": dict(self.reasons),
        }


def resolve_runtime(
    *,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | Literal["auto"] = "auto",
    determinism: bool = False,
) -> Runtime:
    """Decide what is `auto` and set the process up accordingly.

    `auto` takes CUDA, then Apple's MPS, then the CPU; bf16 where the processor has instructions for it; as many threads
    as the process may use cores.

    Raises:
        ConfigError: The device does not exist or cannot be had. There is no silent fallback to the CPU.
    """
    chosen, device_reason = _choose_device(device)
    chosen_precision, precision_reason = _choose_precision(precision, chosen)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # What the process was told beforehand, by OMP_NUM_THREADS for instance, is respected.
    thread_count = min(cores, torch.get_num_threads()) if threads == "auto" else threads
    torch.set_num_threads(thread_count)
    torch.use_deterministic_algorithms(determinism)
    torch.backends.cudnn.benchmark = not determinism
    if determinism:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    reasons = {
        "device": device_reason,
        "precision": precision_reason,
        "threads": "as many as the process may use" if threads == "auto" else "as set",
    }
    return Runtime(chosen, chosen_precision, thread_count, determinism, reasons)


def _choose_device(setting: str) -> tuple[torch.device, str]:
    if setting == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda"), torch.cuda.get_device_name()
        if torch.backends.mps.is_available():
            return torch.device("mps"), "Apple GPU"
        return torch.device("cpu"), "no GPU found"
    try:
        device = torch.device(setting)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first_line = str(error).splitlines()[0]
        raise ConfigError(
            f"run.device={setting} cannot be used: {first_line}. Use run.device=auto to take what is there, or cpu"
        ) from None
    return device, "as set"


def _choose_precision(setting: str, device: torch.device) -> tuple[Precision, str]:
    if setting == "bf16":
        return "bf16", "as set"
    if setting == "fp32":
        return "fp32", "as set"
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "the GPU has bf16 units"
        return "fp32", "the GPU has no bf16 units"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if device.type == "cpu" and (capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")):
        return "bf16", "the processor has bf16 instructions"
    return "fp32", "no bf16 instructions found"


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def describe_environment(runtime: Runtime) -> dict[str, object]:
    """Return machine, versions and runtime, as a run folder records them."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "command": sys.argv,
        "packages": {name: _find_version(name) for name in _RECORDED_PACKAGES},
        "runtime": runtime.to_dict(),
    }


def _find_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
