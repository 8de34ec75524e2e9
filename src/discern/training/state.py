"""Everything that an interrupted training needs to go on as if nothing had happened, in one file without pickle."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from discern.errors import RunFolderError
from discern.files import replacing
from discern.processes import ALONE, Processes

STATE_FILE = "state.safetensors"
STATE_VERSION = 3

Facts = dict[str, Any]
Generators = tuple[Facts, dict[str, Tensor]]


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
    """Named tensors and JSON facts, written and read together.

    One file, renamed into place: a kill at any moment leaves the state of the last epoch or of the one before. Weights
    that are frozen in a phase lie in a second file, written once, which the first one names.
    """

    def __init__(self, frozen: FrozenWeights | None = None) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.facts: Facts = {"version": STATE_VERSION}
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
        numbers: dict[str, dict[str, Any]] = {}
        for index, values in packed["state"].items():
            self.put_tensors(f"optimizer/{index}", {k: v for k, v in values.items() if isinstance(v, Tensor)})
            numbers[str(index)] = {k: v for k, v in values.items() if not isinstance(v, Tensor)}
        self.facts["optimizer"] = {"groups": packed["param_groups"], "numbers": numbers}

    def restore_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Give an optimizer over the same parameters the moments and rates that were put."""
        packed = self.facts["optimizer"]
        state = {
            int(index): self.get_tensors(f"optimizer/{index}") | numbers for index, numbers in packed["numbers"].items()
        }
        optimizer.load_state_dict({"state": state, "param_groups": packed["groups"]})
        for parameter, values in optimizer.state.items():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    # Fused optimizers go through memory as it lies: moments must lie as their parameters do.
                    values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)

    def put_random_generators(self, everyone: Sequence[Generators]) -> None:
        """Add what `read_generators` returned."""
        self.facts["random"] = [numbers for numbers, _ in everyone]
        for rank, (_, tensors) in enumerate(everyone):
            self.put_tensors(f"random/{rank}", tensors)

    def restore_random_generators(self, processes: Processes = ALONE) -> None:
        """Set the generators to what was put for this process."""
        numbers = self.facts["random"][processes.rank]
        version, integers, gauss = numbers["python"]
        random.setstate((version, tuple(integers), gauss))
        name, keys, position, has_gauss, cached = numbers["numpy"]
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
        begun = len(self.facts["random"])
        if begun != count:
            start = "without torchrun" if begun == 1 else f"under torchrun with {begun} processes in all"
            raise RunFolderError(
                f"the run was begun with {begun} process(es), and {count} would not go on as it began; "
                f"resume it {start}, or start a new run"
            )

    def save(self, folder: Path) -> None:
        """Write the state into `folder`, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        self.facts["frozen"] = None if self.frozen is None else self.frozen.name
        if self.frozen is not None and not (folder / self.frozen.name).exists():
            with replacing(folder / self.frozen.name) as temporary:
                save_file(self.frozen.tensors, temporary)
        with replacing(folder / STATE_FILE) as temporary:
            save_file(self.tensors, temporary, metadata={"facts": json.dumps(self.facts)})
        for path in folder.glob("frozen-*.safetensors"):
            if path.name != self.facts["frozen"]:
                path.unlink()


def read_generators(processes: Processes) -> list[Generators]:
    """Return the state of Python's, NumPy's and torch's generators, of every process."""
    return processes.gather(_read_own_generators())


def _read_own_generators() -> Generators:
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    numbers = {
        "python": random.getstate(),
        "numpy": [name, np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)],
    }
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
    state = TrainingState()
    try:
        with safe_open(path, framework="pt") as file:
            state.facts = json.loads((file.metadata() or {})["facts"])
            state.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        frozen = state.facts.get("frozen")
        if frozen is not None:
            state.frozen = FrozenWeights(state.facts["phase_index"], load_file(folder / frozen))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise RunFolderError(f"{path} is damaged ({error}); start anew with --overwrite") from None
    if state.facts.get("version") != STATE_VERSION:
        raise RunFolderError(
            f"{path} has format {state.facts.get('version')}, and this version of discern reads {STATE_VERSION}; "
            "finish the run with the version that began it, or start anew with --overwrite"
        )
    return state
