"""Several classifiers as one, whose probabilities are the means of theirs; equal backbones are computed once.

Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty estimation using deep
ensembles", 2017, https://arxiv.org/abs/1612.01474; here the members differ by the pictures that they were trained on.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from discern.models.backbone import Backbone, BackboneFacts
from discern.models.classifier import Classifier


class EnsembleBackbone(Backbone):
    """The different backbones of an ensemble, all of one architecture, side by side: their features one by one."""

    network: nn.ModuleList

    def __init__(self, backbones: Sequence[Backbone]) -> None:
        first, count = backbones[0], len(backbones)
        facts = BackboneFacts(first.image_size, first.has_fixed_size, first.mean, first.std)
        name = first.name if count == 1 else f"{count} x {first.name}"
        super().__init__(name, nn.ModuleList(backbones), facts, num_features=count * first.num_features)
        self.num_last_features = count * first.num_last_features

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the pooled features (N, B * F) of B backbones."""
        return torch.cat([backbone(images) for backbone in self._list_backbones()], dim=1)

    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature maps (N, B * C, h, w)."""
        return torch.cat([backbone.forward_map(images) for backbone in self._list_backbones()], dim=1)

    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the last feature maps (N, B * C, h, w) to the pooled features (N, B * F)."""
        backbones = self._list_backbones()
        parts = zip(backbones, maps.chunk(len(backbones), dim=1), strict=True)
        return torch.cat([backbone.pool_map(part) for backbone, part in parts], dim=1)

    def forward_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map images (N, 3, H, W) to all maps (N, C, h, w) of one backbone after the other."""
        return tuple(maps for backbone in self._list_backbones() for maps in backbone.forward_maps(images))

    def pool_maps(self, maps: Sequence[Tensor]) -> Tensor:
        """Map these maps to the features (N, B * F), one backbone after the other."""
        backbones = self._list_backbones()
        count = len(maps) // len(backbones)
        parts = (maps[place * count : (place + 1) * count] for place in range(len(backbones)))
        return torch.cat([backbone.pool_maps(part) for backbone, part in zip(backbones, parts, strict=True)], dim=1)

    def select_last(self, features: Tensor) -> Tensor:
        """Return those of the features (N, B * F) that are made of the last feature maps."""
        backbones = self._list_backbones()
        parts = zip(backbones, features.chunk(len(backbones), dim=1), strict=True)
        return torch.cat([backbone.select_last(part) for backbone, part in parts], dim=1)

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the stages of one backbone, each with its modules in all of them."""
        parts = [backbone.stages() for backbone in self._list_backbones()]
        return {
            stage: tuple(f"network.{place}.{name}" for place, part in enumerate(parts) for name in part[stage])
            for stage in parts[0]
        }

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter, as each backbone has it."""
        return {
            f"network.{place}.{name}": depth
            for place, backbone in enumerate(self._list_backbones())
            for name, depth in backbone.parameter_depths().items()
        }

    def _list_backbones(self) -> list[Backbone]:
        return [backbone for backbone in self.network if isinstance(backbone, Backbone)]


class EnsembleHead(nn.Module):
    """The heads of M members, each on the features of its own backbone, which it may share with others.

    Each member is calibrated before the mean is taken: the logarithms of its probabilities are multiplied with `scales`
    (K), and `biases` (K) are added. So the loss of the mean is at most the mean loss of the calibrated members,
    whatever the pictures are, since the logarithm is concave.

    Args:
        heads: Those of the members; each maps features (N, F) to logits (N, K).
        places: The place of each member's backbone among the different ones.
        scales: (K), ones for members that are not calibrated.
        biases: (K), zeros for members that are not calibrated.
    """

    scales: Tensor
    biases: Tensor

    def __init__(self, heads: Sequence[nn.Module], places: Sequence[int], scales: Tensor, biases: Tensor) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)
        self.places = tuple(places)
        self.register_buffer("scales", scales.float())
        self.register_buffer("biases", biases.float())

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, B * F) to logits (N, K), the logarithms of the members' mean probabilities."""
        parts = features.chunk(max(self.places) + 1, dim=1)
        logarithms = [self._calibrate(head(parts[place])) for head, place in zip(self.heads, self.places, strict=True)]
        return torch.stack(logarithms).logsumexp(dim=0) - math.log(len(logarithms))

    def _calibrate(self, logits: Tensor) -> Tensor:
        """Return the logarithms of the calibrated probabilities."""
        calibrated = logits.log_softmax(dim=1, dtype=torch.float32) * self.scales + self.biases
        return calibrated.log_softmax(dim=1)


def build_ensemble(members: Sequence[Classifier], places: Sequence[int], scales: Tensor, biases: Tensor) -> Classifier:
    """Return an ensemble of classifiers of one architecture.

    Args:
        members: With the same classes in the same order.
        places: The place of each member's backbone among the different ones; see `find_shared_backbones`.
        scales: Of the calibration (K), as in `EnsembleHead`.
        biases: Likewise.
    """
    backbones = [members[tuple(places).index(place)].backbone for place in range(max(places) + 1)]
    head = EnsembleHead([member.head for member in members], places, scales, biases)
    return Classifier(EnsembleBackbone(backbones), head)


def find_shared_backbones(members: Sequence[Classifier]) -> tuple[int, ...]:
    """Return the place of each member's backbone among the different ones; frozen ones are bit-equal."""
    places: list[int] = []
    different: list[dict[str, Tensor]] = []
    for member in members:
        tensors = member.backbone.state_dict()
        same = [place for place, known in enumerate(different) if _are_equal(known, tensors)]
        places.append(same[0] if same else len(different))
        if not same:
            different.append(tensors)
    return tuple(places)


def _are_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())
