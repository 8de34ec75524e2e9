"""Where the cells of a network's last feature map lie on the picture.

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


def locate_cells(architecture: Architecture | None) -> Cells | None:
    """Return where the cells of a backbone lie: known for our own networks, measured for others.

    None where they tile the picture, which is also assumed of networks that no architecture describes.
    """
    if architecture is None or architecture.backbone == CUSTOM:
        return None
    if architecture.backbone in RESNETS:
        return Cells(0.5, _SMALL_STEM_STRIDE if architecture.stem == "small" else _STRIDE)
    return measure_cells(architecture.of_member)


@lru_cache(maxsize=16)
def measure_cells(architecture: Architecture) -> Cells | None:
    """Measure where the cells of a convolutional backbone lie; None where they tile the picture.

    This is done once for each architecture, on a network of random weights that has no preference for any direction:
    the picture has one colour, each kernel is the same at all its places, and maxima are averages. The gradient of a
    cell in the middle of the map is then symmetric around the place that the cell looks at.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        backbone = build_classifier(architecture, 2).backbone.eval().requires_grad_(False)
        if backbone.has_fixed_size or backbone.has_attention:
            return None
        _level_kernels(backbone)
        return _probe(backbone, _find_stride(backbone))


def _find_stride(backbone: Backbone) -> int:
    """Return how many pixels it is from cell to cell: a power of two; only shapes are computed."""
    picture = torch.empty(1, 3, _FIRST_LOOK_PIXELS, _FIRST_LOOK_PIXELS, device="meta")
    rows = copy.deepcopy(backbone).to("meta").forward_map(picture).shape[-1]
    return int(2 ** round(log2(_FIRST_LOOK_PIXELS / rows)))


def _probe(backbone: Backbone, stride: int) -> Cells | None:
    """Find the place that the middle cell looks at, in a picture so large that its edges do not matter."""
    side = _CELLS_PROBED * stride
    picture = torch.ones(1, 3, side, side, requires_grad=True)
    maps = backbone.forward_map(picture)
    middle = maps.shape[-1] // 2
    (gradient,) = torch.autograd.grad(maps[0, :, middle, middle].square().sum(), picture)
    shares = gradient.abs().sum(dim=(0, 1, 2)).double()
    if not shares.sum() > 0:
        return None
    center = float((shares * (torch.arange(side) + 0.5)).sum() / shares.sum())
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
