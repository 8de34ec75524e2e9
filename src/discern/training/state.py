"""Everything that an interrupted training needs to go on as if nothing had happened, in one file without pickle."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from discern.engine.schedules import Plateau
from discern.errors import RunFolderError
from discern.files import replacing
from discern.processes import ALONE, Processes
from discern.training.history import EpochRow
from discern.training.stopping import EarlyStopping

STATE_FILE = "state.safetensors"
STATE_VERSION = 4


class GeneratorNumbers(BaseModel):
    """The states of Python's and NumPy's random generators."""

    python: tuple[int, tuple[int, ...], float | None]
    numpy: tuple[str, tuple[int, ...], int, int, float]


Generators = tuple[GeneratorNumbers, dict[str, Tensor]]


class OptimizerNumbers(BaseModel):
    """What an optimizer's state has besides tensors: its groups, and numbers by the place of their parameter."""

    groups: list[dict[str, Any]]
    numbers: dict[int, dict[str, Any]]


class PhaseState(BaseModel):
    """Where a phase stands in the middle."""

    epochs_done: int
    length: float
    views: int
    plateau: Plateau
    stopping: EarlyStopping


class Progress(BaseModel):
    """How far a training has come.

    `phase` and `optimizer` are there in the middle of a phase; `random` has an entry for each process.
    """

    version: int = STATE_VERSION
    phase_index: int = 0
    rows: tuple[EpochRow, ...] = ()
    best: EpochRow | None = None
    floor: EpochRow | None = None
    spent_seconds: float = 0.0
    phase: PhaseState | None = None
    optimizer: OptimizerNumbers | None = None
    random: list[GeneratorNumbers] = []
    frozen: str | None = None


@dataclass(frozen=True)
class FrozenWeights:
    """Weights (on the CPU) that no epoch of a phase changes, neither in the trained network nor in the best one."""

    phase_index: int
    tensors: dict[str, Tensor]

    @property
    def name(self) -> str:
        """The name of their file."""
        return f"frozen-{self.phase_index}.safetensors"


class TrainingState:
    """Named tensors and the progress, written and read together.

    One file, renamed into place: a kill at any moment leaves the state of the last epoch or of the one before. Weights
    that are frozen in a phase lie in a second file, written once, which the first one names.
    """

    def __init__(self, progress: Progress, frozen: FrozenWeights | None = None) -> None:
        self.progress = progress
        self.tensors: dict[str, Tensor] = {}
        self.frozen = frozen

    def put_weights(self, prefix: str, weights: Mapping[str, Tensor]) -> None:
        """Add a network's weights, those left out that are frozen."""
        frozen = {} if self.frozen is None else self.frozen.tensors
        self.put_tensors(prefix, {name: tensor for name, tensor in weights.items() if name not in frozen})

    def get_weights(self, prefix: str) -> dict[str, Tensor]:
        """Return what was added with `put_weights`, frozen weights included; nothing if nothing was."""
        weights = self.get_tensors(prefix)
        return weights | self.frozen.tensors if weights and self.frozen is not None else weights

    def put_tensors(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Add tensors under a prefix."""
        self.tensors |= {f"{prefix}/{name}": tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def get_tensors(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors that were put under a prefix."""
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
        """Give an optimizer over the same parameters the moments and rates that were put."""
        packed = self.progress.optimizer
        if packed is None:
            return
        state = {index: self.get_tensors(f"optimizer/{index}") | numbers for index, numbers in packed.numbers.items()}
        optimizer.load_state_dict({"state": state, "param_groups": packed.groups})
        for parameter, values in optimizer.state.items():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # Fused optimizers go through memory as it lies: moments must lie as their parameters do.
                    values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)

    def put_random_generators(self, everyone: Sequence[Generators]) -> None:
        """Add what `read_generators` returned."""
        self.progress.random = [numbers for numbers, _ in everyone]
        for rank, (_, tensors) in enumerate(everyone):
            self.put_tensors(f"random/{rank}", tensors)

    def restore_random_generators(self, processes: Processes = ALONE) -> None:
        """Set the generators to what was put for this process."""
        numbers = self.progress.random[processes.rank]
        random.setstate(numbers.python)
        name, keys, position, has_gauss, cached = numbers.numpy
        np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
        tensors = self.get_tensors(f"random/{processes.rank}")
        torch.set_rng_state(tensors.pop("cpu"))
        if tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["cuda"])

    def check_processes(self, count: int) -> None:
        """Raise unless as many processes go on as began.

        Raises:
            RunFolderError: There were more, or fewer.
        """
        begun = len(self.progress.random)
        if begun != count:
            start = "without torchrun" if begun == 1 else f"under torchrun with {begun} processes in all"
            raise RunFolderError(
                f"the run was begun with {begun} process(es), and {count} would not go on as it began; "
                f"resume it {start}, or start a new run"
            )

    def save(self, folder: Path) -> None:
        """Write the state into `folder`, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        self.progress.frozen = None if self.frozen is None else self.frozen.name
        if self.frozen is not None and not (folder / self.frozen.name).exists():
            with replacing(folder / self.frozen.name) as temporary:
                save_file(self.frozen.tensors, temporary)
        with replacing(folder / STATE_FILE) as temporary:
            save_file(self.tensors, temporary, metadata={"progress": json.dumps(self.progress.model_dump())})
        for path in folder.glob("frozen-*.safetensors"):
            if path.name != self.progress.frozen:
                path.unlink()


def read_generators(processes: Processes) -> list[Generators]:
    """Return the state of Python's, NumPy's and torch's generators, of every process."""
    return processes.gather(_read_own_generators())


def _read_own_generators() -> Generators:
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, integers, python_gauss = random.getstate()
    numbers = GeneratorNumbers(
        python=(version, integers, python_gauss),
        numpy=(str(name), tuple(np.asarray(keys).tolist()), int(position), int(has_gauss), float(gauss)),
    )
    tensors = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    return numbers, tensors


def has_state(folder: Path) -> bool:
    """Return whether at least one epoch was saved in `folder`."""
    return (folder / STATE_FILE).is_file()


def load_state(folder: Path) -> TrainingState:
    """Read the state that an interrupted training has left in `folder`.

    Raises:
        RunFolderError: It is damaged, or another version of the program wrote it.
    """
    path = folder / STATE_FILE
    try:
        with safe_open(path, framework="pt") as file:
            content = json.loads((file.metadata() or {})["progress"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        _check_version(content, path)
        state = TrainingState(Progress.model_validate(content))
        state.tensors = tensors
        frozen = state.progress.frozen
        if frozen is not None:
            state.frozen = FrozenWeights(state.progress.phase_index, load_file(folder / frozen))
    except (OSError, SafetensorError, KeyError, ValueError, ValidationError) as error:
        raise RunFolderError(f"{path} is damaged ({error}); start anew with --overwrite") from None
    return state


def _check_version(content: Mapping[str, Any], path: Path) -> None:
    if content.get("version") != STATE_VERSION:
        raise RunFolderError(
            f"{path} has format {content.get('version')}, and this version of discern reads {STATE_VERSION}; "
            "finish the run with the version that began it, or start anew with --overwrite"
        )
