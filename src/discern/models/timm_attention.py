"""The attention of timm's vision transformers: which tokens take how much from which others, block by block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from torch import Tensor, nn

from discern.models.backbone_contract import Attention
from discern.models.timm_network import TimmNetwork, count_prefix_tokens


def has_attention(network: nn.Module) -> bool:
    """Return whether all tokens of a network attend to each other, in blocks that show how much."""
    layers = _list_layers(network)
    return bool(layers) and hasattr(network, "num_prefix_tokens") and all(map(_shows_weights, layers))


def forward_attention(network: nn.Module, images: Tensor) -> Attention:
    """Map images (N, 3, H, W) to what a network computes for them; `has_attention` must be true of it."""
    transformer = cast("TimmNetwork", network)
    with _recording(_list_layers(network)) as weights:
        tokens = transformer.forward_features(images)
    return Attention(transformer.forward_head(tokens), tokens, tuple(weights), count_prefix_tokens(network))


def _list_layers(network: nn.Module) -> list[nn.Module | None]:
    blocks = getattr(network, "blocks", None)
    return (
        [getattr(block, "attn", None) for block in blocks] if isinstance(blocks, nn.Sequential | nn.ModuleList) else []
    )


def _shows_weights(layer: nn.Module | None) -> bool:
    """Return whether a layer of attention has a plain way beside the fused one, with dropout of its weights."""
    return hasattr(layer, "fused_attn") and isinstance(getattr(layer, "attn_drop", None), nn.Dropout)


@contextmanager
def _recording(layers: list[nn.Module | None]) -> Iterator[list[Tensor]]:
    """Let layers compute their weights one by one, as fused kernels do not show them, and collect these in order."""
    weights: list[Tensor] = []
    found = [layer for layer in layers if layer is not None]
    fused = [layer.fused_attn for layer in found]
    dropouts = [cast("nn.Dropout", layer.attn_drop) for layer in found]
    handles = [
        dropout.register_forward_hook(lambda _module, _inputs, output: weights.append(output)) for dropout in dropouts
    ]
    try:
        for layer in found:
            vars(layer)["fused_attn"] = False
        yield weights
    finally:
        for layer, was_fused in zip(found, fused, strict=True):
            vars(layer)["fused_attn"] = was_fused
        for handle in handles:
            handle.remove()
