"""The training loop of most tutorials: PIL, DataLoader, fp32, every picture through the network in every epoch.

Where nothing is augmented and the network is frozen, the pictures pass through it once, as a careful user would do it.
"""

import argparse
import json
import time
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import models
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

NORMALIZE = [
    v2.ToImage(),
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
]
CENTRE = [v2.Resize(224), v2.CenterCrop(224)]
AUGMENTATIONS = {
    "crop": [v2.RandomResizedCrop(224), v2.RandomHorizontalFlip()],
    "rotate": [*CENTRE, v2.RandomRotation(10), v2.RandomHorizontalFlip()],
    "none": CENTRE,
}


def main() -> None:
    """Train, and print seconds and validation accuracy of the best epoch as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--augment", choices=list(AUGMENTATIONS), default="crop")
    parser.add_argument("--per-epoch", action="store_true", help="time the epochs alone, without what comes before")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    loaders = build_loaders(options.data, options.augment)
    model = build_model(options.backbone, options.weights, len(loaders["train"].dataset.classes), options.frozen)
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], lr=3e-3 if options.frozen else 1e-4
    )
    if options.frozen and options.augment == "none":
        loaders, model = compute_features(loaders, model)
    started = time.perf_counter()
    accuracies = [train_epoch(model, loaders, optimizer) for _ in range(options.epochs)]
    result = {"accuracy": max(accuracies)}
    if options.per_epoch:
        result["seconds"] = (time.perf_counter() - started) / options.epochs
    print(json.dumps(result))


def build_loaders(data: Path, augment: str) -> dict[str, DataLoader]:
    """Build the loaders, with the resizing of published networks."""
    augmented = v2.Compose([*AUGMENTATIONS[augment], *NORMALIZE])
    plain = v2.Compose([*CENTRE, *NORMALIZE])
    return {
        split: DataLoader(
            ImageFolder(str(data / split), transform), batch_size=32, shuffle=split == "train", num_workers=2
        )
        for split, transform in (("train", augmented), ("val", plain))
    }


def build_model(backbone: str, weights: Path, num_classes: int, frozen: bool) -> nn.Module:
    """Build the network with its weights and a new last layer."""
    if backbone == "resnet50":
        model = models.resnet50(num_classes=1000)
        model.load_state_dict(load_file(weights))
        classifier = model.fc = nn.Linear(model.fc.in_features, num_classes)
    else:
        model = timm.create_model(backbone, num_classes=1000)
        model.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
        model.reset_classifier(num_classes)
        classifier = model.get_classifier()
    if frozen:
        model.requires_grad_(False)
        classifier.requires_grad_(True)
    return model


@torch.no_grad()
def compute_features(loaders: dict[str, DataLoader], model: nn.Module) -> tuple[dict[str, DataLoader], nn.Module]:
    """Return loaders of the inputs of the last layer, computed once, and that layer."""
    *body, classifier = model.children()
    network = nn.Sequential(*body, nn.Flatten()).eval()
    found = {}
    for split, loader in loaders.items():
        features, targets = zip(*((network(images), targets) for images, targets in loader), strict=True)
        found[split] = DataLoader(
            TensorDataset(torch.cat(features), torch.cat(targets)), batch_size=32, shuffle=split == "train"
        )
    return found, classifier


def train_epoch(model: nn.Module, loaders: dict[str, DataLoader], optimizer: torch.optim.Optimizer) -> float:
    """Train an epoch and return the accuracy on the validation pictures."""
    model.train()
    for images, targets in loaders["train"]:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), targets).backward()
        optimizer.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, targets in loaders["val"]:
            correct += int((model(images).argmax(dim=1) == targets).sum())
    return correct / len(loaders["val"].dataset)


if __name__ == "__main__":
    main()
