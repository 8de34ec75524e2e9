"""Prediction as most tutorials do it: PIL, fp32, one loop, results in a CSV."""

import argparse
import csv
from pathlib import Path

import torch
from PIL import Image
from torchvision import models
from torchvision.transforms import v2

from benchmarks.plain_training import NORMALIZE

BATCH_SIZE = 32


def main() -> None:
    """Predict all pictures of a folder with ResNet-50."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    transform = v2.Compose([v2.Resize((224, 224)), *NORMALIZE])
    model = models.resnet50(num_classes=2).eval()
    paths = sorted(options.pictures.iterdir())
    rows = []
    with torch.no_grad():
        for start in range(0, len(paths), BATCH_SIZE):
            group = paths[start : start + BATCH_SIZE]
            images = torch.stack([transform(Image.open(path).convert("RGB")) for path in group])
            probabilities = model(images).softmax(dim=1)
            rows += [(path.name, *row) for path, row in zip(group, probabilities.tolist(), strict=True)]
    with options.out.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
