"""What a machine is called in a table of runs: seconds of machines with the same name are compared."""

import os
import platform
from pathlib import Path

import torch

from discern.counts import count_of
from discern.runtime import has_fast_bf16

_CPU_INFO = Path("/proc/cpuinfo")


def describe_machine() -> str:
    """Return the processor, its instructions, and how many of its cores this process may use."""
    bf16 = " with bf16" if has_fast_bf16(torch.device("cpu")) else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{_name_processor()}, {torch.backends.cpu.get_cpu_capability()}{bf16}, {count_of(cores, 'core')}"


def _name_processor() -> str:
    if _CPU_INFO.is_file():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
