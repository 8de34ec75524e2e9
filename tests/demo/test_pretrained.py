from pathlib import Path

import torch
from safetensors import safe_open

from discern.demo import PRETRAINED_WEIGHTS
from discern.models.backbone import build_backbone
from discern.models.weights.pretrained import load_pretrained


def test_the_file_is_small_and_says_how_it_was_made() -> None:
    assert PRETRAINED_WEIGHTS.stat().st_size <= 6_000_000
    with safe_open(PRETRAINED_WEIGHTS, framework="pt") as file:
        metadata = file.metadata()
        kinds = {file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118  (no mapping)
    assert metadata["architecture"] == "resnet18-half"
    assert metadata["made_by"] == "tools/pretrain_demo.py"
    assert kinds == {torch.float16, torch.int64}


def test_the_weights_load_with_nothing_missing_or_left_over(tmp_path: Path) -> None:
    backbone = build_backbone("resnet18-half")
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    record = load_pretrained(backbone, PRETRAINED_WEIGHTS, cache_folder=tmp_path)
    assert record.unused == ()
    after = backbone.state_dict()
    assert all(torch.isfinite(tensor).all() for tensor in after.values())
    assert all(tensor.dtype == before[name].dtype for name, tensor in after.items())
    assert all(not torch.equal(before[name], after[name]) for name in after)


def test_features_tell_pictures_apart(tmp_path: Path) -> None:
    backbone = build_backbone("resnet18-half").eval()
    load_pretrained(backbone, PRETRAINED_WEIGHTS, cache_folder=tmp_path)
    with torch.inference_mode():
        features = backbone(torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0)))
    assert features.shape == (3, 256)
    assert features.std(dim=0).max() > 0.01
