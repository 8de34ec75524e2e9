"""Training ResNet-50 at 224 px: `discern.train` against a plain PyTorch loop on the same files and epochs."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import resnet50
from torchvision.transforms import v2

from benchmarks.compare import Comparison, compare
from discern.demo.dataset import draw_dataset
from discern.demo.fleet import DEMO_TYPES
from discern.workflows.train import train

CLASSES = 4
IMAGES_PER_CLASS = {"train": 20, "val": 5}
PICTURE_PIXELS = 320
EPOCHS = 2
BATCH_SIZE = 16


def compare_frozen() -> Comparison:
    """Compare with the backbone frozen."""
    return _compare(["head"])


def compare_all_layers() -> Comparison:
    """Compare with all layers learning."""
    return _compare("all")


def _compare(parts: Sequence[str]) -> Comparison:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed, (split, count) in enumerate(IMAGES_PER_CLASS.items()):
            draw_dataset(
                folder / "photos" / split,
                DEMO_TYPES[:CLASSES],
                images_per_class=count,
                size=PICTURE_PIXELS,
                seed=seed,
            )
        return compare(lambda: _train_ours(folder, parts), lambda: _train_plainly(folder / "photos", parts))


def _train_ours(folder: Path, parts: Sequence[str]) -> None:
    stage = "all" if parts == "all" else list(parts)
    train(
        folder / "photos",
        out=folder / "run",
        recipe="table",
        overwrite=True,
        verbose=False,
        overrides=[
            "model.weights=none",
            f"training.stages.*.train={stage}",
            f"epochs={EPOCHS}",
            f"batch_size={BATCH_SIZE}",
        ],
    )


def _train_plainly(photos: Path, parts: Sequence[str]) -> None:
    """Train as most tutorials do: PIL, DataLoader, fp32, every picture through the network in every epoch."""
    normalize = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.25] * 3)]
    augmented = v2.Compose([v2.RandomResizedCrop(224), v2.RandomHorizontalFlip(), *normalize])
    plain = v2.Compose([v2.Resize((224, 224)), *normalize])
    loaders = {
        split: DataLoader(
            ImageFolder(str(photos / split), transform), batch_size=BATCH_SIZE, shuffle=split == "train", num_workers=2
        )
        for split, transform in (("train", augmented), ("val", plain))
    }
    model = resnet50(num_classes=CLASSES)
    if parts != "all":
        for parameter in model.parameters():
            parameter.requires_grad = False
        model.fc = nn.Linear(model.fc.in_features, CLASSES)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(EPOCHS):
        model.train()
        for images, targets in loaders["train"]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), targets).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for images, _ in loaders["val"]:
                model(images)
