"""Reads tensors from weight files and fits them to a network by name and shape."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from discern.errors import WeightsError, name_some

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "model.", "backbone.", "network.")
_CLASSIFIERS = ("fc", "head", "head_dist", "classifier", "last_linear")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a .safetensors, .pth or .pt file; of a checkpoint, those of its model.

    Raises:
        WeightsError: The file is missing or damaged, or holds no tensors or more than tensors.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; expected a .safetensors, .pth or .pt file.")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise WeightsError(f"{path} is no whole safetensors file ({error}); download or copy it again.") from error
    if path.suffix not in {".pth", ".pt"}:
        raise WeightsError(f"{path} ends in {path.suffix!r}; expected a .safetensors, .pth or .pt file.")
    tensors = _unwrap(_read_torch_file(path))
    if not tensors:
        raise WeightsError(f"{path} holds no named tensors; expected what torch.save(model.state_dict(), path) writes.")
    return tensors


def fit_tensors(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> tuple[str, ...]:
    """Load tensors into a network, all or none, and return the names of those that the network does not have.

    Prefixes that training programs put before the names are removed. A classifier in the file is not used; numbers are
    converted to the data type of the network.

    Raises:
        WeightsError: A tensor of the network is missing, has another shape or numbers that are not finite, or the file
            is of a larger network.
    """
    own = network.state_dict()
    given = _without_prefixes(tensors, own, source)
    missing = [name for name in own if name not in given and not name.endswith("num_batches_tracked")]
    misshaped = [
        f"{name}: {tuple(given[name].shape)} there, {tuple(own[name].shape)} here"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    unused = tuple(name for name in given if name not in own)
    foreign = _foreign(unused, network)
    if missing or misshaped or foreign:
        problems = [
            _listed("missing there", missing),
            _listed("of another shape", misshaped),
            _listed("unknown here", foreign or (list(unused) if missing else [])),
        ]
        raise WeightsError(
            "\n".join([f"{source} does not fit the network ({len(own)} tensors):", *filter(None, problems)])
            + "\nGive weights of the same network and stem, or model.weights=none to start from random ones."
        )
    damaged = [name for name in own if name in given and not torch.isfinite(given[name]).all()]
    if damaged:
        raise WeightsError(f"{source} has weights that are not finite: {name_some(damaged)}; download or copy it again")
    network.load_state_dict({name: given[name] for name in own if name in given}, strict=False)
    return unused


def find_classifier_tensors(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> dict[str, Tensor]:
    """Return the tensors of a classifier that a file holds beside those of a network, by their names without prefixes.

    Raises:
        WeightsError: The file holds a tensor twice.
    """
    own = network.state_dict()
    given = _without_prefixes(tensors, own, source)
    return {
        name: tensor for name, tensor in given.items() if name not in own and name.partition(".")[0] in _CLASSIFIERS
    }


def _read_torch_file(path: Path) -> object:
    try:
        content: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds Python objects or is damaged; only tensors are read, because objects can run code. "
            "Save it again with torch.save(model.state_dict(), path), where the model is known."
        ) from error
    except Exception as error:  # A damaged file can fail in any way.
        raise WeightsError(f"{path} is no whole PyTorch file ({error}); download or copy it again.") from error
    return content


def _unwrap(content: object) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    wrapped = [content[wrapper] for wrapper in _WRAPPERS if isinstance(content.get(wrapper), Mapping)]
    named = wrapped[0] if wrapped else content
    return {str(name): value for name, value in named.items() if isinstance(value, Tensor)}


def _without_prefixes(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    given: dict[str, Tensor] = {}
    for full_name, tensor in tensors.items():
        name = full_name
        while name not in own and name.startswith(_PREFIXES):
            name = name.partition(".")[2]
        if name in given:
            raise WeightsError(f"{source} holds {name} twice under different prefixes; give a file of one network.")
        given[name] = tensor
    return given


def _foreign(unused: Sequence[str], network: nn.Module) -> list[str]:
    """Return unused tensors that are no classifier but belong to a part of the network: the file is of a larger one."""
    roots = {name.partition(".")[0] for name in network.state_dict()} - set(_CLASSIFIERS)
    rebuilt = {name for name, _ in network.named_buffers()}
    return [name for name in unused if name.partition(".")[0] in roots and name not in rebuilt]


def _listed(what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"  {len(names)} {what}: {name_some(names)}"
