import pytest
import torch
from torch.nn import functional

from discern.explanation.cells import Cells, enlarge_map, locate_cells, measure_cells
from discern.models.architecture import Architecture


def locate(architecture):
    (cells,) = locate_cells(architecture, 1)
    return cells


@pytest.mark.parametrize(
    ("backbone", "stem", "first", "stride"),
    [
        # Kernels of odd size, padded on both sides, stay around pixel 0 whatever their stride.
        ("resnet18-half", "imagenet", 0.5, 32),
        ("resnet18-half", "small", 0.5, 8),
        ("timm:mobilenetv2_100", "imagenet", 0.5, 32),
        # Patches of 4 and then 2 pixels tile the picture.
        ("timm:convnext_tiny", "imagenet", 16, 32),
        # Seven halvings of the stem as in a ResNet, then three averages of 2x2: 0.5 + (4 + 8 + 16) / 2.
        ("timm:densenet121", "imagenet", 14.5, 32),
    ],
)
def test_cells_lie_where_their_layers_put_them(backbone, stem, first, stride):
    architecture = Architecture(backbone=backbone, stem=stem)
    assert measure_cells(architecture)[0] == pytest.approx((first, stride), abs=0.3)
    assert locate(architecture) == pytest.approx((first, stride), abs=0.3)


@pytest.mark.parametrize(
    ("backbone", "strides"), [("resnet18-half", (32, 8, 16)), ("timm:mobilenetv2_100", (32, 8, 16, 32))]
)
def test_the_maps_of_the_stages_have_cells_of_their_own(backbone, strides):
    architecture = Architecture(backbone=backbone, features="stages")
    for cells in (measure_cells(architecture), locate_cells(architecture, len(strides))):
        assert [one.stride_pixels for one in cells] == list(strides)
        assert [one.first_pixels for one in cells] == pytest.approx([0.5] * len(strides), abs=0.3)


def test_the_backbones_of_an_ensemble_are_alike():
    ensemble = Architecture(backbone="resnet18-half", features="stages", members=(0, 1))
    assert locate_cells(ensemble, 6) == 2 * locate_cells(ensemble.of_member, 3)


def test_patches_of_a_transformer_tile_the_picture():
    assert locate(Architecture(backbone="timm:vit_tiny_patch16_224")) is None


def test_cells_of_a_network_without_an_architecture_tile_the_picture():
    assert locate_cells(None, 2) == (None, None)


def test_looking_draws_no_random_number_of_the_caller():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    measure_cells(Architecture(backbone="resnet18-half", dropout=0.125))
    assert torch.rand(1) == expected


@pytest.mark.parametrize(("rows", "side"), [(7, 224), (4, 30), (1, 8)])
def test_cells_that_tile_are_interpolated_as_usual(rows, side):
    values = torch.rand(2, rows, rows)
    expected = functional.interpolate(values[:, None], size=(side, side), mode="bilinear")[:, 0]
    torch.testing.assert_close(enlarge_map(values, side, None), expected)


def test_each_cell_stands_in_its_place():
    values = torch.zeros(1, 4, 4)
    values[0, 1, 2] = 1
    enlarged = enlarge_map(values, 32, Cells(0.5, 8))[0]
    assert enlarged[8, 16] == 1
    assert enlarged[8, 12] == enlarged[4, 16] == 0.5
    assert torch.nonzero(enlarged == 1).tolist() == [[8, 16]]
