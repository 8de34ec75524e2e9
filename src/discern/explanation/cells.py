"""Where the cells of a network's feature maps lie on the picture.

A map is usually stretched over the picture as if its cells tiled it. They do not: in a ResNet, as in any network of
3x3 convolutions with stride 2 and padding on both sides, each cell looks around its upper left corner and not around
its middle. With 32 pixels a cell, evidence would be drawn 15.5 pixels too far to the right and too low.
"""

import copy
from functools import lru_cache
from math import log2
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from discern.models.architecture import CUSTOM, Architecture
from discern.models.backbone import Backbone
from discern.models.build import build_classifier
from discern.models.resnet_backbone import RESNETS

_FIRST_LOOK_PIXELS = 256
_CELLS_PROBED = 10
_STRIDE, _SMALL_STEM_STRIDE = 32, 8


class Cells(NamedTuple):
    """The middle of the first cell, in pixels from the edge of the picture, and the distance to the next one."""

    first_pixels: float
    stride_pixels: float


def enlarge_map(values: Tensor, side_pixels: int, cells: Cells | None) -> Tensor:
    """Interpolate maps (N, h, w) to squares (N, S, S), each cell where it lies; None for cells that tile the square."""
    rows = values.shape[-1]
    if cells is None:
        cells = Cells(side_pixels / rows / 2, side_pixels / rows)
    places = (torch.arange(side_pixels, device=values.device) + 0.5 - cells.first_pixels) / cells.stride_pixels
    scaled = (2 * places + 1) / rows - 1
    grid = torch.stack(torch.meshgrid(scaled, scaled, indexing="xy"), dim=-1).expand(len(values), -1, -1, -1)
    enlarged = functional.grid_sample(values[:, None], grid, padding_mode="border", align_corners=False)
    return enlarged[:, 0]


def locate_cells(architecture: Architecture | None, count: int) -> tuple[Cells | None, ...]:
    """Return where the cells of each map lie that `forward_maps` of a backbone gives: known for our own networks.

    For others it is measured. None where they tile the picture, which is also assumed of networks that no architecture
    describes.

    Args:
        architecture: Of the classifier; of an ensemble, whose backbones are alike, too.
        count: How many maps there are.
    """
    if architecture is None or architecture.backbone == CUSTOM:
        return (None,) * count
    own = _list_known(architecture) if architecture.backbone in RESNETS else measure_cells(architecture.of_member)
    return own * (count // len(own)) if own else (None,) * count


def _list_known(architecture: Architecture) -> tuple[Cells, ...]:
    """Return where the cells of the maps of our own networks lie: those of layer4, and of layer2 and layer3."""
    stride = _SMALL_STEM_STRIDE if architecture.stem == "small" else _STRIDE
    divisors = (1,) if architecture.features == "last" else (1, 4, 2)
    return tuple(Cells(0.5, stride / divisor) for divisor in divisors)


@lru_cache(maxsize=16)
def measure_cells(architecture: Architecture) -> tuple[Cells | None, ...]:
    """Measure where the cells of each map of a convolutional backbone lie; none for a network of patches, which tile.

    This is done once for each architecture, on a network of random weights that has no preference for any direction:
    the picture has one colour, each kernel is the same at all its places, and maxima are averages. The gradient of a
    cell in the middle of a map is then symmetric around the place that the cell looks at.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        backbone = build_classifier(architecture, 2).backbone.eval().requires_grad_(False)
        if backbone.has_fixed_size or backbone.has_attention:
            return ()
        _level_kernels(backbone)
        strides = _find_strides(backbone)
        side = _CELLS_PROBED * max(strides)
        picture = torch.ones(1, 3, side, side, requires_grad=True)
        maps = backbone.forward_maps(picture)
        return tuple(_probe(one, stride, picture) for one, stride in zip(maps, strides, strict=True))


def _find_strides(backbone: Backbone) -> list[int]:
    """Return how many pixels it is from cell to cell of each map: a power of two; only shapes are computed."""
    picture = torch.empty(1, 3, _FIRST_LOOK_PIXELS, _FIRST_LOOK_PIXELS, device="meta")
    maps = copy.deepcopy(backbone).to("meta").forward_maps(picture)
    return [int(2 ** round(log2(_FIRST_LOOK_PIXELS / one.shape[-1]))) for one in maps]


def _probe(maps: Tensor, stride: int, picture: Tensor) -> Cells | None:
    """Find the place that the middle cell looks at, in a picture so large that its edges do not matter."""
    middle = maps.shape[-1] // 2
    (gradient,) = torch.autograd.grad(maps[0, :, middle, middle].square().sum(), picture, retain_graph=True)
    shares = gradient.abs().sum(dim=(0, 1, 2)).double()
    if not shares.sum() > 0:
        return None
    center = float((shares * (torch.arange(len(shares)) + 0.5)).sum() / shares.sum())
    return Cells(center - middle * stride, stride)


def _level_kernels(backbone: Backbone) -> None:
    """Make a network prefer no direction."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.mean(dim=(2, 3), keepdim=True).expand_as(module.weight).contiguous()
    for name, module in list(backbone.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            average = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            backbone.set_submodule(name, average)
