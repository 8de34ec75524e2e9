"""A backbone and a head, and which of their stages train."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import NamedTuple, Self

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from discern.errors import ConfigError
from discern.models.backbone import Backbone

HEAD = "head"


class ParameterCount(NamedTuple):
    """The number of parameters of a classifier."""

    trainable: int
    all: int


class Classifier(nn.Module):
    """Turns images into logits; its stages, from "stem" to "head", can be frozen.

    A frozen stage keeps its parameters *and* its BatchNorm statistics bit for bit. It stays in eval mode even after
    `train()`, so that its dropout and stochastic depth are off too. Single blocks of a stage can train, too, such as
    "layer4.2" of a ResNet or "blocks.11" of a vision transformer.
    """

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._stages = _with_head(backbone.stages())
        self._blocks = _with_head(backbone.blocks())
        self._parts = self._stages
        self._trainable = frozenset(self._parts)
        self._frozen_batchnorm = False

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, K)."""
        return self.forward_head(self.backbone(images))

    def forward_head(self, features: Tensor) -> Tensor:
        """Map the pooled features (N, F) of the backbone to logits (N, K)."""
        logits: Tensor = self.head(features)
        return logits

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the modules and parameters of each stage, from the input to the logits.

        A stage contains everything whose name begins with one of these; every parameter and buffer is in exactly one
        stage.
        """
        return dict(self._stages)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages from the input to the logits: "stem", "layer1", ..., "head"."""
        return tuple(self._stages)

    @property
    def block_names(self) -> tuple[str, ...]:
        """The blocks of the stages from the input to the logits; "stem" and "head" are one block each."""
        return tuple(self._blocks)

    def parts(self) -> dict[str, tuple[str, ...]]:
        """Return the stages, as `stages` does, with the blocks of each stage in its place that trains in part."""
        return dict(self._parts)

    @property
    def trainable_parts(self) -> tuple[str, ...]:
        """The stages that train, and the blocks that train in other stages, from the input to the logits."""
        return tuple(part for part in self._parts if part in self._trainable)

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, one more for every block, and the head last."""
        body = {f"backbone.{name}": depth for name, depth in self.backbone.parameter_depths().items()}
        head_depth = max(body.values()) + 1
        return body | {f"{HEAD}.{name}": head_depth for name, _ in self.head.named_parameters()}

    def parameters_without_decay(self) -> frozenset[str]:
        """Return the names of the parameters, besides norms and biases, that weight decay would harm."""
        return frozenset(f"backbone.{name}" for name in self.backbone.parameters_without_decay())

    def set_trainable(self, names: Collection[str], *, frozen_batchnorm: bool = False) -> None:
        """Make the named stages and blocks trainable and freeze all others.

        Args:
            names: Names of stages and blocks, one name, or "all".
            frozen_batchnorm: Keep the running statistics of every BatchNorm, also where scale and shift train.

        Raises:
            ConfigError: There is no such stage or block.
        """
        self._trainable = self._parse_names(names)
        self._parts = self._split_stages(self._trainable)
        self._frozen_batchnorm = frozen_batchnorm
        trained = [f"{prefix}." for part in self.trainable_parts for prefix in self._parts[part]]
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(f"{name}.".startswith(tuple(trained)))
            if not parameter.requires_grad:
                # An optimizer would still apply a gradient that is left from an earlier phase.
                parameter.grad = None
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set training mode where stages train; frozen stages stay in eval mode."""
        super().train(mode)
        for module in self._list_modules_in_eval_mode():
            module.eval()
        return self

    def count_parameters(self) -> ParameterCount:
        """Count the parameters that train, and all."""
        sizes = [(parameter.numel(), parameter.requires_grad) for parameter in self.parameters()]
        return ParameterCount(sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes))

    def describe_parts(self) -> str:
        """Return what can train, for people."""
        blocks = [name for name in self.block_names if name not in self._stages]
        single = f"; single blocks are {blocks[0]} to {blocks[-1]}" if blocks else ""
        return f"the stages of this network are {', '.join(self.stage_names)} (or all){single}"

    def _parse_names(self, names: Collection[str]) -> frozenset[str]:
        if names == "all":
            return frozenset(self.stage_names)
        chosen = frozenset([names] if isinstance(names, str) else names)
        known = (*self.stage_names, *self.block_names)
        unknown = sorted(chosen - set(known))
        if unknown:
            near = {name: get_close_matches(name, known, n=1) for name in unknown}
            hints = [f"{name!r}" + (f" (did you mean {near[name][0]!r}?)" if near[name] else "") for name in unknown]
            raise ConfigError(f"{self.backbone.name} has no stage {', '.join(hints)}; {self.describe_parts()}.")
        return chosen

    def _split_stages(self, chosen: frozenset[str]) -> dict[str, tuple[str, ...]]:
        """Return the stages, with the blocks of a stage in its place where some of these are chosen and not itself."""
        parts: dict[str, tuple[str, ...]] = {}
        for stage, prefixes in self._stages.items():
            inside = {block: names for block, names in self._blocks.items() if _lies_within(names, prefixes)}
            is_split = stage not in chosen and not chosen.isdisjoint(inside)
            parts |= inside if is_split else {stage: prefixes}
        return parts

    def _list_modules_in_eval_mode(self) -> list[nn.Module]:
        """Return the modules of frozen stages, the backbone if all of it is frozen, and frozen BatchNorms."""
        modules = dict(self.named_modules())
        frozen = [prefixes for part, prefixes in self._parts.items() if part not in self._trainable]
        kept = [modules[prefix] for prefixes in frozen for prefix in prefixes if prefix in modules]
        if self._trainable <= {HEAD}:
            kept.append(self.backbone)
        if self._frozen_batchnorm:
            kept += [module for module in modules.values() if isinstance(module, _BatchNorm)]
        return kept


def _with_head(parts: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return parts of a backbone as those of a classifier, and its head."""
    body = {part: tuple(f"backbone.{prefix}" for prefix in prefixes) for part, prefixes in parts.items()}
    return {**body, HEAD: (HEAD,)}


def _lies_within(names: tuple[str, ...], prefixes: tuple[str, ...]) -> bool:
    return f"{names[0]}.".startswith(tuple(f"{prefix}." for prefix in prefixes))
