"""Weights from files: every form they come in, and every way they can fail to fit."""

import argparse
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from discern.errors import WeightsError
from discern.models.backbone import Backbone, build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import MlpHead
from discern.models.weights.catalog import our_weights
from discern.models.weights.pretrained import WeightsRecord, load_pretrained, read_stem
from discern.models.weights.state_dicts import fit_tensors

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def published() -> State:
    """A state dict as torchvision publishes it, with a classifier."""
    torch.manual_seed(0)
    return {name: tensor.clone() for name, tensor in torchvision.models.resnet18(num_classes=4).state_dict().items()}


def load(weights: Path, name: str = "resnet18") -> tuple[Backbone, WeightsRecord]:
    backbone = build_backbone(name)
    return backbone, load_pretrained(backbone, weights, cache_folder=weights.parent / "cache")


def assert_loaded(backbone: Backbone, published: Mapping[str, Tensor]) -> None:
    own = backbone.network.state_dict()
    assert own
    assert all(torch.equal(tensor, published[name].to(tensor.dtype)) for name, tensor in own.items())


def prefixed(prefix: str) -> Callable[[State], State]:
    return lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()}


def test_the_stem_is_that_of_the_weights(published: State, tmp_path: Path) -> None:
    torch.save({"state_dict": prefixed("module.")(published)}, tmp_path / "full.pth")
    small = build_backbone("resnet18", stem="small").network.state_dict()
    save_file(prefixed("backbone.network.")(small), tmp_path / "small.safetensors")
    assert read_stem("resnet18", tmp_path / "full.pth") == "imagenet"
    assert read_stem("resnet18", tmp_path / "small.safetensors") == "small"
    assert read_stem("timm:mobilenetv2_100", tmp_path / "small.safetensors") == "imagenet"
    assert read_stem("resnet18", "imagenet") == read_stem("resnet18", tmp_path / "missing.pth") == "imagenet"


@pytest.mark.parametrize(
    ("prefix", "wrapper"),
    [
        ("", None),
        ("module.", None),
        ("model.", None),
        ("model.backbone.", None),
        ("", "model"),
        ("", "model_state_dict"),
        ("module.model.", "state_dict"),
    ],
)
def test_torch_files_load_in_every_wrapping(published: State, tmp_path: Path, prefix: str, wrapper: str | None) -> None:
    state = prefixed(prefix)(published)
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "weights.pth")
    backbone, record = load(tmp_path / "weights.pth")
    assert_loaded(backbone, published)
    assert record.unused == ("fc.weight", "fc.bias")


def test_safetensors_load_and_are_recorded(published: State, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(published, path)
    backbone, record = load(path)
    assert_loaded(backbone, published)
    assert record.source == str(path)
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_file_without_classifier_leaves_nothing_over(published: State, tmp_path: Path) -> None:
    body = {name: tensor for name, tensor in published.items() if not name.startswith("fc")}
    torch.save(body, tmp_path / "body.pt")
    assert load(tmp_path / "body.pt")[1].unused == ()


def test_half_precision_is_brought_to_the_networks_own(published: State, tmp_path: Path) -> None:
    halved = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in published.items()}
    save_file(halved, tmp_path / "half.safetensors")
    backbone, _ = load(tmp_path / "half.safetensors")
    assert {parameter.dtype for parameter in backbone.parameters()} == {torch.float32}
    assert_loaded(backbone, halved)


def test_old_files_without_batch_counts_load(published: State, tmp_path: Path) -> None:
    torch.save({n: t for n, t in published.items() if not n.endswith("num_batches_tracked")}, tmp_path / "old.pth")
    backbone, _ = load(tmp_path / "old.pth")
    assert torch.equal(backbone.network.conv1.weight, published["conv1.weight"])


@pytest.mark.parametrize("name", ["resnet18-half", "timm:convnext_atto"])
def test_own_classifier_loads_into_a_bare_backbone(tmp_path: Path, name: str) -> None:
    donor = build_backbone(name)
    save_file(Classifier(donor, MlpHead(donor.num_features, 2)).state_dict(), tmp_path / "model.safetensors")
    backbone, record = load(tmp_path / "model.safetensors", name)
    assert_loaded(backbone, donor.network.state_dict())
    assert set(record.unused) == {
        "head.layers.0.weight",
        "head.layers.0.bias",
        "head.layers.3.weight",
        "head.layers.3.bias",
    }


@pytest.mark.parametrize("name", ["mobilenetv2_100", "convnext_atto", "mobilenetv3_small_050"])
def test_timm_networks_load_what_timm_saves(tmp_path: Path, name: str) -> None:
    donor = timm.create_model(name, pretrained=False, num_classes=3)
    save_file(donor.state_dict(), tmp_path / "model.safetensors")
    backbone, record = load(tmp_path / "model.safetensors", f"timm:{name}")
    assert_loaded(backbone, donor.state_dict())
    assert all(name.startswith(("classifier.", "head.fc.")) for name in record.unused)


def test_ours_load_what_timm_saves(tmp_path: Path) -> None:
    donor = timm.create_model("resnet50", pretrained=False, num_classes=3)
    save_file(donor.state_dict(), tmp_path / "model.safetensors")
    assert_loaded(load(tmp_path / "model.safetensors", "resnet50")[0], donor.state_dict())


def test_real_mobilenet_weights_fit_in_full(mobilenet_weights: Path, tmp_path: Path) -> None:
    backbone = build_backbone("timm:mobilenetv2_100")
    record = load_pretrained(backbone, mobilenet_weights, cache_folder=tmp_path)
    published = load_file(mobilenet_weights)
    assert_loaded(backbone, published)
    theirs = timm.create_model("mobilenetv2_100", pretrained=False)
    theirs.load_state_dict(published, strict=False)
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        expected = theirs.eval().forward_head(theirs.forward_features(images), pre_logits=True)
        torch.testing.assert_close(backbone.eval()(images), expected)
    assert all(name.startswith("classifier.") for name in record.unused)


def copy_state(backbone: Backbone) -> State:
    return {name: tensor.clone() for name, tensor in backbone.state_dict().items()}


def assert_refused(backbone: Backbone, weights: Path, message: str) -> None:
    before = copy_state(backbone)
    with pytest.raises(WeightsError, match=message):
        load_pretrained(backbone, weights, cache_folder=weights.parent)
    after = backbone.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())


def test_missing_tensors_are_listed_ten_and_counted(published: State, tmp_path: Path) -> None:
    torch.save({name: tensor for name, tensor in published.items() if "layer4" not in name}, tmp_path / "short.pth")
    message = (
        r"(?s)short\.pth does not fit .*25 missing there: (layer4\S+, ){9}layer4\S+ and 15 more\n.*model\.weights=none"
    )
    assert_refused(build_backbone("resnet18"), tmp_path / "short.pth", message)


def test_misshaped_tensors_are_listed_with_both_shapes(published: State, tmp_path: Path) -> None:
    torch.save(published, tmp_path / "full.pth")
    message = (
        r"1 of another shape: conv1\.weight: \(64, 3, 7, 7\) there, \(64, 3, 3, 3\) here\nGive .* same network and stem"
    )
    assert_refused(build_backbone("resnet18", stem="small"), tmp_path / "full.pth", message)
    assert_refused(build_backbone("resnet18-half"), tmp_path / "full.pth", r"\d+ of another shape.* and \d+ more")


def test_weights_of_a_larger_network_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet34(num_classes=2).state_dict(), tmp_path / "resnet34.pth")
    assert_refused(build_backbone("resnet18"), tmp_path / "resnet34.pth", r"unknown here: layer1\.2\.conv1\.weight")


def test_buffers_that_the_network_rebuilds_itself_are_left_over() -> None:
    network = build_backbone("timm:swin_tiny_patch4_window7_224").network
    rebuilt = {name for name, _ in network.named_buffers()} - set(network.state_dict())
    assert rebuilt
    unused = fit_tensors(network, network.state_dict() | dict(network.named_buffers()), source="old file")
    assert set(unused) == rebuilt


def test_unknown_names_are_shown_beside_the_missing_ones(published: State, tmp_path: Path) -> None:
    torch.save(prefixed("encoder.")(published), tmp_path / "renamed.pth")
    message = r"(?s)100 missing there: conv1\.weight.*122 unknown here: encoder\.conv1\.weight"
    assert_refused(build_backbone("resnet18"), tmp_path / "renamed.pth", message)


def test_same_tensor_under_two_prefixes_is_refused(published: State, tmp_path: Path) -> None:
    torch.save(published | prefixed("module.")(published), tmp_path / "twice.pth")
    assert_refused(build_backbone("resnet18"), tmp_path / "twice.pth", "holds .* twice under different prefixes")


def test_pickled_objects_are_not_run(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pth")
    torch.save({"state_dict": {}, "arguments": argparse.Namespace(depth=2)}, tmp_path / "namespace.pth")
    for name in ("whole.pth", "namespace.pth"):
        message = rf"{name} holds Python objects or is damaged; .* torch\.save\(model\.state_dict\(\), path\)"
        assert_refused(build_backbone("resnet18-half"), tmp_path / name, message)


@pytest.mark.parametrize(
    "content", [b"", b"no weights", bytes(range(256)) * 8, b"PK\x03\x04" + bytes(100), b"\x80\x02."]
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    assert_refused(build_backbone("resnet18-half"), path, rf"damaged{suffix} (is no whole|holds Python objects or)")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0.1, 0.9])
def test_truncated_files_are_named(published: State, tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"cut{suffix}"
    save_file(published, path) if suffix == ".safetensors" else torch.save(published, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert_refused(build_backbone("resnet18"), path, rf"cut{suffix} (is no whole|holds Python objects or is damaged)")


def test_file_without_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"epoch": 1}, tmp_path / "empty.pt")
    for name in ("list.pt", "empty.pt"):
        assert_refused(build_backbone("resnet18-half"), tmp_path / name, "holds no named tensors; expected what")


def test_missing_file_wrong_type_and_misspelt_name_are_told_apart(tmp_path: Path) -> None:
    backbone = build_backbone("resnet18-half")
    (tmp_path / "weights.h5").touch()
    assert_refused(backbone, tmp_path / "gone.pth", r"There is no weights file .*gone\.pth; expected a \.safetensors")
    assert_refused(backbone, tmp_path / "weights.h5", r"ends in '\.h5'; expected")
    with pytest.raises(
        WeightsError, match="'imagnet' is neither the name of published weights nor a file; expected imagenet, "
    ):
        load_pretrained(backbone, "imagnet", cache_folder=tmp_path)


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, published: State) -> None:
    damaged = {**published, "layer1.0.bn1.weight": torch.full((64,), float("nan"))}
    save_file(damaged, tmp_path / "weights.safetensors")
    with pytest.raises(WeightsError, match=r"has weights that are not finite: layer1\.0\.bn1\.weight; download"):
        load(tmp_path / "weights.safetensors")


def test_network_without_published_weights_says_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"No weights are published for 'resnet18-half'.* model\.weights=none"):
        load_pretrained(build_backbone("resnet18-half"), "imagenet", cache_folder=tmp_path)


def test_our_catalog_is_torchvisions() -> None:
    theirs = {
        f"{name}/imagenet-v{version[-1]}": weights.url
        for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
        for version, weights in torchvision.models.get_model_weights(name).__members__.items()
        if version != "DEFAULT"
    }
    assert {weights.name: weights.url for weights in our_weights()} == theirs
    assert all(len(weights.checksum) == 8 for weights in our_weights())
