"""Device, precision, threads and seeds of a process."""

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.processes import ALONE, Processes

Precision = Literal["fp32", "bf16"]

_CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@dataclass(frozen=True)
class Runtime:
    """Device, precision and threads; only `set_up` changes the process, and `applied` until its end."""

    device: torch.device
    precision: Precision
    threads: int
    determinism: bool
    reasons: Mapping[str, str]
    processes: Processes = ALONE
    accelerates: bool = True
    """Whether networks are transformed to give the same results in less time; otherwise plain PyTorch."""

    @property
    def dtype(self) -> torch.dtype:
        """Data type of convolutions and matrix products."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def set_up(self) -> None:
        """Set the threads, determinism, cuDNN and the current GPU of this process."""
        torch.set_num_threads(self.threads)
        if self.determinism != torch.are_deterministic_algorithms_enabled():
            # Called only if needed, since it loads torch's compiler, which takes seconds.
            torch.use_deterministic_algorithms(self.determinism)
        torch.backends.cudnn.benchmark = False
        if self.determinism:
            os.environ.setdefault(_CUBLAS_WORKSPACE, ":4096:8")
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Return a context in which the process is set up; earlier settings are restored at the end."""
        threads = torch.get_num_threads()
        determinism = torch.are_deterministic_algorithms_enabled()
        warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
        benchmark = torch.backends.cudnn.benchmark
        workspace = os.environ.get(_CUBLAS_WORKSPACE)
        gpu = torch.cuda.current_device() if self.device.type == "cuda" else None
        self.set_up()
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            if determinism != self.determinism:
                torch.use_deterministic_algorithms(determinism, warn_only=warns_only)
            torch.backends.cudnn.benchmark = benchmark
            if workspace is None:
                os.environ.pop(_CUBLAS_WORKSPACE, None)
            if gpu is not None:
                torch.cuda.set_device(gpu)

    def place(self, module: nn.Module) -> nn.Module:
        """Move a network to the device, in channels-last layout, the fastest for convolutions in bf16."""
        return module.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def move(self, values: Tensor) -> Tensor:
        """Move images (N, 3, H, W), maps or features to the device; pictures and maps in channels-last layout."""
        layout = torch.channels_last if values.ndim == 4 else torch.preserve_format
        return values.to(self.device, non_blocking=self.device.type == "cuda", memory_format=layout)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which forward passes run."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def describe(self) -> str:
        """Return one line for people: device, precision and threads, with the reasons."""
        parts = [f"{name} {getattr(self, name)} ({reason})" for name, reason in self.reasons.items()]
        if self.processes.count > 1:
            parts.insert(0, f"{self.processes.count} processes ({self.processes.local_count} on this machine)")
        return ", ".join([*parts, "deterministic" if self.determinism else "not deterministic"])

    def to_dict(self) -> dict[str, object]:
        """Return what the run folder records."""
        return {
            "device": str(self.device),
            "precision": self.precision,
            "threads": self.threads,
            "determinism": self.determinism,
            "processes": self.processes.count,
            "accelerates": self.accelerates,
            "reasons": dict(self.reasons),
        }


def choose_runtime(
    *,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | Literal["auto"] = "auto",
    determinism: bool = False,
    processes: Processes = ALONE,
    acceleration: Literal["auto", "off"] = "auto",
) -> Runtime:
    """Choose what is `auto`, without changing the process.

    `auto` is CUDA, then Apple's MPS, then the CPU; bf16 if the processor has instructions for it; one thread per core
    that the process may use, divided by the processes of the job on this machine; acceleration on every device.

    Raises:
        ConfigError: The device does not exist or cannot be used. There is no silent fallback to the CPU.
    """
    chosen, device_reason = _choose_device(device, processes)
    chosen_precision, precision_reason = _choose_precision(precision, chosen)
    thread_count = _count_threads(processes) if threads == "auto" else threads
    reasons = {
        "device": device_reason,
        "precision": precision_reason,
        "threads": _explain_threads(thread_count, processes) if threads == "auto" else "as set",
    }
    return Runtime(
        chosen, chosen_precision, thread_count, determinism, reasons, processes, accelerates=acceleration == "auto"
    )


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count_threads(processes: Processes) -> int:
    cores = count_cores()
    if processes.count > 1:
        # torchrun sets OMP_NUM_THREADS=1, so torch's number of threads means nothing here.
        return max(1, cores // processes.local_count)
    # A smaller number that the user has set, for instance by OMP_NUM_THREADS, is kept.
    return min(cores, torch.get_num_threads())


def _explain_threads(threads: int, processes: Processes) -> str:
    if processes.count == 1 and threads < count_cores():
        return f"of {count_cores()} cores, as OMP_NUM_THREADS or torch says"
    return "as many as the process may use"


def _choose_device(setting: str, processes: Processes) -> tuple[torch.device, str]:
    if setting == "auto":
        if torch.cuda.is_available():
            device = _find_gpu(processes)
            return device, torch.cuda.get_device_name(device)
        if torch.backends.mps.is_available() and processes.count == 1:
            return torch.device("mps"), "Apple GPU"
        return torch.device("cpu"), "no GPU found"
    try:
        device = torch.device(setting)
    except RuntimeError:
        raise ConfigError(f"run.device={setting} is no device; expected auto, cpu, cuda, cuda:1 or mps") from None
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        first_line = str(error).splitlines()[0]
        raise ConfigError(
            f"run.device={setting} cannot be used: {first_line}. Use run.device=auto for what is available, or cpu"
        ) from None
    if processes.count > 1 and device.type != "cpu" and setting != "cuda":
        raise ConfigError(
            f"run.device={setting} cannot be used by {processes.count} processes; use cuda, where each takes the "
            "GPU of its rank, or cpu"
        )
    if device.type == "cuda":
        device = _find_gpu(processes) if device.index is None else device
    return device, "as set"


def _find_gpu(processes: Processes) -> torch.device:
    """Return the GPU of this process; every process on this machine needs its own."""
    if processes.local_rank >= torch.cuda.device_count():
        raise ConfigError(
            f"{processes.local_count} processes were started on this machine, which has {torch.cuda.device_count()} "
            "GPUs; start one process per GPU (torchrun --nproc-per-node), or give run.device=cpu"
        )
    return torch.device("cuda", processes.local_rank)


def _choose_precision(setting: str, device: torch.device) -> tuple[Precision, str]:
    if setting == "bf16":
        return "bf16", "as set"
    if setting == "fp32":
        return "fp32", "as set"
    has_fast = has_fast_bf16(device)
    if device.type == "cuda":
        return ("bf16", "the GPU has bf16 units") if has_fast else ("fp32", "the GPU has no bf16 units")
    if has_fast:
        return "bf16", "the processor has bf16 instructions"
    return "fp32", "no bf16 instructions found"


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether a device has instructions for bfloat16; without them it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error means that memory ran out; on a CPU torch has no special type for it."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
