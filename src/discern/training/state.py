"""Everything that an interrupted training needs to go on as if nothing had happened, in one file without pickle."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from discern.errors import RunFolderError
from discern.files import replacing

STATE_FILE = "state.safetensors"
STATE_VERSION = 1

Facts = dict[str, Any]


class TrainingState:
    """Named tensors and JSON facts, written and read together.

    One file, renamed into place: a kill at any moment leaves the state of the last epoch or of the one before.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.facts: Facts = {"version": STATE_VERSION}

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

    def put_random_generators(self) -> None:
        """Add the state of Python's, NumPy's and torch's generators."""
        name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
        self.facts["random"] = {
            "python": random.getstate(),
            "numpy": [name, np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)],
        }
        self.put_tensors("random", {"cpu": torch.get_rng_state()})
        if torch.cuda.is_available():
            states = torch.cuda.get_rng_state_all()
            self.put_tensors("random/cuda", {str(index): state for index, state in enumerate(states)})

    def restore_random_generators(self) -> None:
        """Set the generators to what was put."""
        version, numbers, gauss = self.facts["random"]["python"]
        random.setstate((version, tuple(numbers), gauss))
        name, keys, position, has_gauss, cached = self.facts["random"]["numpy"]
        np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
        torch.set_rng_state(self.tensors["random/cpu"])
        for index, state in self.get_tensors("random/cuda").items():
            if int(index) < torch.cuda.device_count():
                torch.cuda.set_rng_state(state, int(index))

    def save(self, folder: Path) -> None:
        """Write the state into `folder`, which is made if needed."""
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / STATE_FILE) as temporary:
            save_file(self.tensors, temporary, metadata={"facts": json.dumps(self.facts)})


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
    except (SafetensorError, KeyError, ValueError) as error:
        raise RunFolderError(f"{path} is damaged ({error}); start anew with --overwrite") from None
    if state.facts.get("version") != STATE_VERSION:
        raise RunFolderError(
            f"{path} has format {state.facts.get('version')}, and this version of discern reads {STATE_VERSION}; "
            "finish the run with the version that began it, or start anew with --overwrite"
        )
    return state
