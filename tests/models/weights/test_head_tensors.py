"""Heads of whole classifiers, by the names that training programs give them."""

import pytest
import timm
import torch
from torch import nn

from discern.errors import WeightsError
from discern.models.architecture import Architecture
from discern.models.backbone import build_backbone
from discern.models.build import build_classifier
from discern.models.heads import LinearHead, MlpHead
from discern.models.weights.pretrained import read_head

FEATURES = 256


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("resnet18-half")


@pytest.fixture
def save(backbone, tmp_path):
    """Write a classifier with this head, under this name and prefix, as training programs do."""

    def write(head, name="fc", prefix="", wrapper=None):
        tensors = backbone.network.state_dict() | {f"{name}.{key}": tensor for key, tensor in head.state_dict().items()}
        tensors = {f"{prefix}{key}": tensor for key, tensor in tensors.items()}
        path = tmp_path / "theirs.pth"
        torch.save(tensors if wrapper is None else {wrapper: tensors, "epoch": 3}, path)
        return path

    return write


@pytest.mark.parametrize(
    ("head", "hidden", "prefix", "wrapper"),
    [
        (nn.Linear(FEATURES, 3), (), "module.", "state_dict"),
        (nn.Sequential(nn.Dropout(0.2), nn.Linear(FEATURES, 3)), (), "model.", None),
        (nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, 3)), (8,), "module.model.", "model"),
        (nn.Sequential(nn.Linear(FEATURES, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3)), (8,), "", None),
        (
            nn.Sequential(nn.Dropout(), nn.Linear(FEATURES, 8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3)),
            (8, 5),
            "",
            None,
        ),
    ],
    ids=["linear", "dropout", "mlp", "mlp-dropout", "two-hidden"],
)
def test_the_shape_is_read_from_the_file_and_the_head_answers_alike_in_another_order(
    backbone, save, head, hidden, prefix, wrapper
):
    found = read_head(backbone, save(head, "fc", prefix, wrapper))
    assert (found.hidden_features, found.num_classes) == (hidden, 3)
    ours = MlpHead(FEATURES, 3, hidden_features=hidden) if hidden else LinearHead(FEATURES, 3, dropout=0.5)
    found.load_into(ours, [2, 0, 1])
    features = torch.randn(4, FEATURES)
    torch.testing.assert_close(ours.eval()(features), head.eval()(features)[:, [2, 0, 1]])


@pytest.mark.parametrize("name", ["timm:mobilenetv3_small_050", "timm:convnext_atto", "timm:vit_tiny_patch16_224"])
def test_heads_of_timm_are_found_by_their_own_names(tmp_path, name):
    network = timm.create_model(name.removeprefix("timm:"), num_classes=3)
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    backbone = build_backbone(name)
    found = read_head(backbone, tmp_path / "theirs.pth")
    assert found.hidden_features == ()
    torch.testing.assert_close(found.layers[0].weight, network.get_classifier().weight)


def test_the_weights_of_a_bundle_are_a_whole_classifier_too(tmp_path):
    classifier = build_classifier(Architecture(backbone="resnet18-half", head="mlp", hidden_features=(8,)), 3)
    torch.save(classifier.state_dict(), tmp_path / "ours.pth")
    found = read_head(classifier.backbone, tmp_path / "ours.pth")
    assert (found.hidden_features, found.num_classes) == ((8,), 3)
    torch.testing.assert_close(found.layers[1].weight, classifier.head.layers[3].weight)


def test_a_layer_without_a_bias_has_zeros(backbone, save):
    found = read_head(backbone, save(nn.Linear(FEATURES, 3, bias=False)))
    assert found.layers[0].bias.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (nn.Sequential(), "holds no head; expected one linear layer, such as fc.weight"),
        (nn.Sequential(nn.Linear(FEATURES, 8), nn.Linear(8, 3)), "a head that is not understood"),
        (nn.Sequential(nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)), "not understood"),
        (nn.ModuleDict({"one": nn.Linear(FEATURES, 3), "two": nn.Linear(FEATURES, 3)}), "not understood"),
        (nn.Linear(100, 3), r"fc has a weight of shape \(3, 100\).*expected a linear layer that takes 256 features"),
    ],
)
def test_other_heads_are_refused(backbone, save, head, message):
    with pytest.raises(WeightsError, match=message):
        read_head(backbone, save(head))


def test_numbers_that_are_not_finite_are_refused(backbone, save):
    head = nn.Linear(FEATURES, 3)
    head.bias.data[1] = float("nan")
    with pytest.raises(WeightsError, match="weights that are not finite: fc"):
        read_head(backbone, save(head))
