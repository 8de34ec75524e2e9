"""The state of a training: everything that is needed to resume it exactly, without pickle."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, Field
from safetensors.torch import save_file
from torch import Tensor

from discern.engine.schedules import Plateau
from discern.errors import RunFolderError
from discern.files import make_folder, replacing
from discern.processes import ALONE, Processes
from discern.training.history import EpochRow
from discern.training.random_generators import GeneratorNumbers, Generators, set_generators
from discern.training.stopping import EarlyStopping

STATE_FILE = "state.safetensors"
STATE_VERSION = 5


class OptimizerNumbers(BaseModel):
    """An optimizer's state without its tensors: its groups, and numbers by the index of their parameter."""

    groups: list[dict[str, Any]]
    numbers: dict[int, dict[str, Any]]


class PhaseState(BaseModel):
    """The progress within an unfinished phase."""

    epochs_done: int
    length: float
    views: int
    plateau: Plateau
    stopping: EarlyStopping


class Progress(BaseModel):
    """The progress of a training.

    `phase` and `optimizer` are None between phases; `random` has an entry for each process.
    """

    version: int = STATE_VERSION
    phase_index: Annotated[int, Field(ge=0)] = 0
    rows: tuple[EpochRow, ...] = ()
    best: EpochRow | None = None
    floor: EpochRow | None = None
    spent_seconds: float = 0.0
    phase: PhaseState | None = None
    optimizer: OptimizerNumbers | None = None
    random: list[GeneratorNumbers] = []
    frozen: str | None = None
    frozen_checksum: str | None = None


@dataclass(frozen=True)
class FrozenWeights:
    """Weights (on the CPU) that a phase does not change; they are the same in the trained network and the best one."""

    phase_index: int
    tensors: dict[str, Tensor]

    @property
    def name(self) -> str:
        """The name of their file."""
        return f"frozen-{self.phase_index}.safetensors"

    @cached_property
    def checksum(self) -> str:
        """The checksum of all, by which an edit of their file is found."""
        return compute_checksum(self.tensors)


class TrainingState:
    """Named tensors and the progress, saved and loaded together.

    The file is replaced atomically: a kill at any moment leaves the state of the last epoch or of the one before. It
    carries a checksum of all that is in it.
    Weights that are frozen in a phase are in a second file, which is written once and named in the first.
    """

    def __init__(self, progress: Progress, frozen: FrozenWeights | None = None) -> None:
        self.progress = progress
        self.tensors: dict[str, Tensor] = {}
        self.frozen = frozen

    def put_weights(self, prefix: str, weights: Mapping[str, Tensor]) -> None:
        """Add a network's weights, except frozen ones."""
        frozen = {} if self.frozen is None else self.frozen.tensors
        self.put_tensors(prefix, {name: tensor for name, tensor in weights.items() if name not in frozen})

    def get_weights(self, prefix: str) -> dict[str, Tensor]:
        """Return what was added with `put_weights`, together with frozen weights; empty if nothing was added."""
        weights = self.get_tensors(prefix)
        return weights | self.frozen.tensors if weights and self.frozen is not None else weights

    def put_tensors(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Add tensors under a prefix."""
        self.tensors |= {f"{prefix}/{name}": tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def get_tensors(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors that were added under a prefix."""
        start = f"{prefix}/"
        return {name.removeprefix(start): tensor for name, tensor in self.tensors.items() if name.startswith(start)}

    def put_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Add an optimizer's moments and the rates of its groups."""
        packed = optimizer.state_dict()
        numbers: dict[int, dict[str, Any]] = {}
        for index, values in packed["state"].items():
            self.put_tensors(f"optimizer/{index}", {k: v for k, v in values.items() if isinstance(v, Tensor)})
            numbers[index] = {k: v for k, v in values.items() if not isinstance(v, Tensor)}
        self.progress.optimizer = OptimizerNumbers(groups=packed["param_groups"], numbers=numbers)

    def restore_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Restore the saved moments and rates in an optimizer over the same parameters."""
        packed = self.progress.optimizer
        if packed is None:
            return
        state = {index: self.get_tensors(f"optimizer/{index}") | numbers for index, numbers in packed.numbers.items()}
        optimizer.load_state_dict({"state": state, "param_groups": packed.groups})
        for parameter, values in optimizer.state.items():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # Fused optimizers need moments in the memory layout of their parameters.
                    values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)

    def put_random_generators(self, everyone: Sequence[Generators]) -> None:
        """Add what `read_generators` returned."""
        self.progress.random = [numbers for numbers, _ in everyone]
        for rank, (_, tensors) in enumerate(everyone):
            self.put_tensors(f"random/{rank}", tensors)

    def restore_random_generators(self, processes: Processes = ALONE) -> None:
        """Set the generators to the saved state of this process."""
        rank = processes.rank
        set_generators((self.progress.random[rank], self.get_tensors(f"random/{rank}")))

    def check_processes(self, count: int) -> None:
        """Check that the number of processes is that of the interrupted run.

        Raises:
            RunFolderError: The number differs.
        """
        started = len(self.progress.random)
        if started != count:
            start = "without torchrun" if started == 1 else f"with torchrun and {started} processes in total"
            raise RunFolderError(
                f"the run was started with {started} process(es), and {count} would not give the same result; "
                f"resume it {start}, or start a new run"
            )

    def save(self, folder: Path) -> None:
        """Write the state to `folder`, which is created if needed, in the run folder, which must still be there.

        Raises:
            WriteError: It cannot be written, for instance because the disk is full.
        """
        make_folder(folder)
        self.progress.frozen = None if self.frozen is None else self.frozen.name
        self.progress.frozen_checksum = None if self.frozen is None else self.frozen.checksum
        if self.frozen is not None and not (folder / self.frozen.name).exists():
            with replacing(folder / self.frozen.name, size_bytes=_count_bytes(self.frozen.tensors)) as temporary:
                save_file(self.frozen.tensors, temporary)
        with replacing(folder / STATE_FILE, size_bytes=_count_bytes(self.tensors)) as temporary:
            progress = json.dumps(self.progress.model_dump())
            checksum = compute_checksum(self.tensors, progress)
            save_file(self.tensors, temporary, metadata={"progress": progress, "checksum": checksum})
        for path in folder.glob("frozen-*.safetensors"):
            if path.name != self.progress.frozen:
                path.unlink()


def _count_bytes(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())


def compute_checksum(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """Return the CRC-32 of a text and of tensors, with their names, types and shapes."""
    checksum = zlib.crc32(text.encode())
    for name, tensor in sorted(tensors.items()):
        checksum = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode(), checksum)
        checksum = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, checksum)
    return f"{checksum:08x}"
