"""Gathers the facts of this installation and this machine."""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import get_args

import torch
from huggingface_hub.constants import HF_HOME

from discern.data.cache.free_memory import compute_free_memory_bytes
from discern.data.cache.home import build_cache
from discern.data.reading.loaders import find_shared_memory_bytes
from discern.diagnosis.problems import find_problems
from discern.diagnosis.record import Diagnosis, FolderFacts, MachineFacts
from discern.environment import list_versions
from discern.errors import Extra
from discern.files import discern_home
from discern.models.weights.pretrained import list_weights
from discern.runtime import choose_runtime, count_cores

_DISTRIBUTION = "discern-vision"
_OF_EXTRA = re.compile(r"([\w.-]+).*\bextra == ['\"](\w+)['\"]")
"""Matches a requirement that belongs to an extra: the package and the extra."""
_INSTRUCTIONS = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")
_NVIDIA_DRIVER = Path("/proc/driver/nvidia")


def diagnose() -> Diagnosis:
    """Return the facts of this machine, with what needs attention."""
    cache = build_cache().info()
    found = Diagnosis(
        platform=platform.platform(),
        python=platform.python_version(),
        packages=list_versions(),
        machine=_describe_machine(),
        folders=(describe_folder("DISCERN_HOME", discern_home()), describe_folder("HF_HOME", Path(HF_HOME))),
        cache_bytes=cache.bytes,
        cache_limit_bytes=cache.limit_bytes,
        weights=tuple(row.name for row in list_weights() if row.path is not None),
        extras=find_extras(_list_requirements()),
    )
    return found.model_copy(update={"problems": find_problems(found)})


def describe_folder(variable: str, folder: Path) -> FolderFacts:
    """Return whether a folder, which is made when it is needed, can be written to."""
    place = next(one for one in (folder, *folder.parents) if one.exists())
    return FolderFacts(
        variable=variable,
        path=_shorten(folder),
        is_writable=_is_writable(place),
        free_bytes=shutil.disk_usage(place).free,
    )


def find_extras(requirements: Iterable[str]) -> dict[Extra, bool]:
    """Return of each extra whether all its packages are installed, from the requirements of the distribution."""
    found = [match.groups() for match in map(_OF_EXTRA.match, requirements) if match]
    packages = {extra: [package for package, name in found if name == extra] for extra in get_args(Extra)}
    return {extra: all(map(_is_installed, names)) for extra, names in packages.items() if names}


def _list_requirements() -> list[str]:
    try:
        return requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return []


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def _describe_machine() -> MachineFacts:
    runtime = choose_runtime()
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return MachineFacts(
        device=str(runtime.device),
        precision=runtime.precision,
        threads=runtime.threads,
        reasons=dict(runtime.reasons),
        cores=count_cores(),
        instructions=tuple(name for name in _INSTRUCTIONS if capabilities.get(name)),
        has_nvidia_gpu=_NVIDIA_DRIVER.is_dir(),
        torch_cuda=torch.version.cuda,
        memory_bytes=compute_free_memory_bytes(),
        shared_memory_bytes=find_shared_memory_bytes(),
    )


def _is_writable(folder: Path) -> bool:
    """Try it, since rights on paper say little about a read-only disk or a network's one."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _shorten(path: Path) -> str:
    """Return a path with ~ for the home of the user, whose name is nobody's business."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() fails where there is none
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
