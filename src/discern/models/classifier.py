"""A backbone and a head, and which of their stages train."""

from collections.abc import Collection
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
    `train()`, so that its dropout and stochastic depth are off too.
    """

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._stages = _stages(backbone)
        self._trainable = frozenset(self._stages)
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
    def trainable_stages(self) -> tuple[str, ...]:
        """The stages that train, from the input to the logits."""
        return tuple(stage for stage in self.stage_names if stage in self._trainable)

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, one more for every block, and the head last."""
        body = {f"backbone.{name}": depth for name, depth in self.backbone.parameter_depths().items()}
        head_depth = max(body.values()) + 1
        return body | {f"{HEAD}.{name}": head_depth for name, _ in self.head.named_parameters()}

    def set_trainable(self, stages: Collection[str], *, frozen_batchnorm: bool = False) -> None:
        """Make the named stages trainable and freeze all others.

        Args:
            stages: Names of stages, one name, or "all".
            frozen_batchnorm: Keep the running statistics of every BatchNorm, also where scale and shift train.

        Raises:
            ConfigError: There is no such stage.
        """
        self._trainable = self._parse_stages(stages)
        self._frozen_batchnorm = frozen_batchnorm
        trained = [f"{prefix}." for stage in self.trainable_stages for prefix in self._stages[stage]]
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

    def _parse_stages(self, stages: Collection[str]) -> frozenset[str]:
        if stages == "all":
            return frozenset(self.stage_names)
        chosen = frozenset([stages] if isinstance(stages, str) else stages)
        unknown = sorted(chosen - set(self.stage_names))
        if unknown:
            near = {name: get_close_matches(name, self.stage_names, n=1) for name in unknown}
            hints = [f"{name!r}" + (f" (did you mean {near[name][0]!r}?)" if near[name] else "") for name in unknown]
            raise ConfigError(
                f"{self.backbone.name} has no stage {', '.join(hints)}; its stages are {', '.join(self.stage_names)}."
            )
        return chosen

    def _list_modules_in_eval_mode(self) -> list[nn.Module]:
        """Return the modules of frozen stages, the backbone if all of it is frozen, and frozen BatchNorms."""
        modules = dict(self.named_modules())
        frozen = [prefixes for stage, prefixes in self._stages.items() if stage not in self._trainable]
        kept = [modules[prefix] for prefixes in frozen for prefix in prefixes if prefix in modules]
        if self._trainable <= {HEAD}:
            kept.append(self.backbone)
        if self._frozen_batchnorm:
            kept += [module for module in modules.values() if isinstance(module, _BatchNorm)]
        return kept


def _stages(backbone: Backbone) -> dict[str, tuple[str, ...]]:
    body = {stage: tuple(f"backbone.{prefix}" for prefix in prefixes) for stage, prefixes in backbone.stages().items()}
    return {**body, HEAD: (HEAD,)}
