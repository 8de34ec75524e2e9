"""The rules by which facts of an installation need attention."""

from collections.abc import Iterator, Sequence

from discern.data.reading.loaders import SMALL_SHARED_MEMORY_BYTES
from discern.diagnosis.record import Diagnosis, FolderFacts, MachineFacts, Problem
from discern.files import describe_bytes

_LITTLE_MEMORY_BYTES = 2**30
_LITTLE_ROOM_BYTES = 2**30


def find_problems(found: Diagnosis) -> tuple[Problem, ...]:
    """Return what needs attention, with the step to take."""
    return (*_check_gpu(found.machine), *_check_memory(found.machine), *_check_folders(found.folders))


def _check_gpu(machine: MachineFacts) -> Iterator[Problem]:
    if not machine.has_nvidia_gpu or machine.device.startswith("cuda"):
        return
    if machine.torch_cuda is None:
        yield Problem(
            finding="this machine has an NVIDIA GPU, but the torch that is installed was built for CPUs only",
            next_step="install torch and torchvision for CUDA, as https://pytorch.org/get-started/locally says",
        )
    else:
        yield Problem(
            finding=f"this machine has an NVIDIA GPU, but torch, built for CUDA {machine.torch_cuda}, cannot use it",
            next_step="run nvidia-smi: if it fails, or shows an older CUDA version, update the driver of the GPU",
        )


def _check_memory(machine: MachineFacts) -> Iterator[Problem]:
    memory, shared = machine.memory_bytes, machine.shared_memory_bytes
    if memory is not None and memory < _LITTLE_MEMORY_BYTES:
        yield Problem(
            finding=f"only {describe_bytes(memory)} of memory are free",
            next_step="close other programs, or train in small batches: training.batch_size=8",
        )
    if shared is not None and shared < SMALL_SHARED_MEMORY_BYTES and machine.cores > 1:
        yield Problem(
            finding=f"shared memory has only {describe_bytes(shared)}, so that pictures are read by one process alone",
            next_step="start the container with --shm-size=2g",
        )


def _check_folders(folders: Sequence[FolderFacts]) -> Iterator[Problem]:
    for folder in folders:
        if not folder.is_writable:
            yield Problem(
                finding=f"{folder.path} cannot be written to, and downloads are kept there",
                next_step=f"set the variable {folder.variable} to a folder of yours",
            )
        elif folder.free_bytes < _LITTLE_ROOM_BYTES:
            yield Problem(
                finding=f"only {describe_bytes(folder.free_bytes)} are free on the disk of {folder.path}",
                next_step=f"make room there (discern cache clear), or set {folder.variable} to another disk",
            )
