"""How networks of timm are divided: into stages, into blocks, and the depth of each parameter."""

from collections.abc import Mapping
from typing import cast

from torch import nn

from discern.models.timm_network import TimmNetwork

# A name that no group of any network matches; its group is that of the layers after the last block.
_LEFTOVER = "?"
_MAX_EVEN_STAGES = 4
"""Into so many stages a network is divided whose blocks timm does not group: as many as a ResNet has."""


def stage_prefixes(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Group a network into "stem", "layer1", ..., "layerN", each given by the names of its modules or parameters.

    The groups are timm's coarse ones; where timm has none, as for plain vision transformers, the blocks are divided
    into four stages as even as can be. Layers after the last group (final norm, neck) belong to it. Every parameter and
    buffer is in exactly one stage.
    """
    group_of, blocks = _group_states(network, coarse=True), _group_states(network, coarse=False)
    count = max(blocks.values())
    if group_of == blocks and count > _MAX_EVEN_STAGES:
        group_of = {name: block and 1 + _MAX_EVEN_STAGES * (block - 1) // count for name, block in blocks.items()}
    return {
        f"layer{group}" if group else "stem": prefixes for group, prefixes in _list_parts(network, group_of).items()
    }


def block_prefixes(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Group a network into "stem" and its blocks by their names, each given as those of `stage_prefixes`."""
    parts = _list_parts(network, _group_states(network, coarse=False))
    return {_name_block(prefixes) if block else "stem": prefixes for block, prefixes in parts.items()}


def _name_block(prefixes: tuple[str, ...]) -> str:
    """Return the first name that ends with a number, as those of blocks do, or else the first name."""
    return next((prefix for prefix in prefixes if prefix.rpartition(".")[2].isdigit()), prefixes[0])


def parameter_depths(network: nn.Module) -> dict[str, int]:
    """Return the depth of every parameter of a network: 0 in the stem, then one more for every block."""
    groups = _group_states(network, coarse=False)
    return {name: groups[name] for name, _ in network.named_parameters()}


def _group_states(network: nn.Module, *, coarse: bool) -> dict[str, int]:
    """Number timm's groups of parameters and buffers from 0 without gaps; layers after the last group are added to it.

    Buffers without parameters beside them in no group, such as rotary position embeddings, are used by all blocks and
    belong to the stem.
    """
    from timm.models._manipulate import group_with_matcher

    parameters, buffers = ([name for name, _ in part] for part in (network.named_parameters(), network.named_buffers()))
    matcher = cast("TimmNetwork", network).group_matcher(coarse=coarse)
    named = [(name, None) for name in (*parameters, *buffers, _LEFTOVER)]
    group_of: dict[str, int] = group_with_matcher(iter(named), matcher, reverse=True)
    leftover = group_of.pop(_LEFTOVER)
    groups = sorted(set(group_of.values()) - {leftover})
    renumbered = {group: place for place, group in enumerate(groups)} | {leftover: max(len(groups) - 1, 0)}
    trained = {name.partition(".")[0] for name in parameters}
    shared = {name for name in buffers if group_of[name] == leftover and name.partition(".")[0] not in trained}
    return {name: 0 if name in shared else renumbered[group] for name, group in group_of.items()}


def _list_parts(network: nn.Module, group_of: Mapping[str, int]) -> dict[int, tuple[str, ...]]:
    """Return the names of the modules and parameters of each group, in the order of the groups."""
    prefixes: dict[int, list[str]] = {group: [] for group in sorted(set(group_of.values()))}
    for prefix, group in _cover(network, "", group_of):
        prefixes[group].append(prefix)
    return {group: tuple(names) for group, names in prefixes.items()}


def _cover(module: nn.Module, prefix: str, group_of: Mapping[str, int]) -> list[tuple[str, int]]:
    """Cover the state of `module` with the largest submodules that are in one group, and with single parameters."""
    own = [*module.named_parameters(prefix, recurse=False), *module.named_buffers(prefix, recurse=False)]
    covered = [(name, group_of[name]) for name, _ in own]
    for child_name, child in module.named_children():
        child_prefix = f"{prefix}.{child_name}" if prefix else child_name
        groups = {group for name, group in group_of.items() if name.startswith(f"{child_prefix}.")}
        if len(groups) == 1:
            covered.append((child_prefix, groups.pop()))
        elif groups:
            covered += _cover(child, child_prefix, group_of)
    return covered
