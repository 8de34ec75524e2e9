"""The states of all random generators that training draws from, to be kept and set again."""

import random

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor

from discern.processes import Processes


class GeneratorNumbers(BaseModel):
    """The states of Python's and NumPy's random generators."""

    python: tuple[int, tuple[int, ...], float | None]
    numpy: tuple[str, tuple[int, ...], int, int, float]


Generators = tuple[GeneratorNumbers, dict[str, Tensor]]


def read_generators(processes: Processes) -> list[Generators]:
    """Return the states of Python's, NumPy's and torch's generators in every process."""
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


def set_generators(generators: Generators) -> None:
    """Set the generators of this process to states that `read_generators` returned."""
    numbers, tensors = generators
    random.setstate(numbers.python)
    name, keys, position, has_gauss, cached = numbers.numpy
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
