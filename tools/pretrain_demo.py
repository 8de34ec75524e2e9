"""Trains the small network that the demo starts from, on types of aircraft that the demo does not show.

    python tools/pretrain_demo.py

draws the pictures, trains on the CPU and writes src/discern/demo/pretrained.safetensors. The network learns to name the
type and, because that alone is slow to get going, its wing, engines, tail, winglets and nose as well. The first epochs
look at smaller pictures, to save time.
"""

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from discern.demo import PRETRAINED_WEIGHTS, PRETRAINING_TYPES, AircraftType, draw_aircraft
from discern.demo.dataset import build_generator
from discern.files import write_atomically
from discern.models.backbone import Backbone, build_backbone

ARCHITECTURE = "resnet18-half"
IMAGE_SIZE = 96
VALIDATION_PER_CLASS = 20
BATCH_SIZE = 32
PEAK_RATE = 1.5e-3
SHIFT_PIXELS = 6
SMALL_SIZE = 64
SMALL_SHARE = 0.6
ATTRIBUTES = ("name", "wing", "engines", "tail", "winglets", "nose")


def main() -> None:
    """Draw, train, measure on pictures kept apart, and write the weights."""
    options = parse_options()
    torch.manual_seed(options.seed)
    images, targets = draw_arrays(options.images_per_class + VALIDATION_PER_CLASS, seed=options.seed)
    kept_apart = torch.arange(len(targets)) % (options.images_per_class + VALIDATION_PER_CLASS) < VALIDATION_PER_CLASS
    backbone = build_backbone(ARCHITECTURE)
    labels = label_attributes()
    head = nn.Linear(backbone.num_features, sum(count_values(labels)))
    network = nn.Sequential(backbone, head).to(memory_format=torch.channels_last)
    train(network, backbone, images[~kept_apart], labels[targets[~kept_apart]], epochs=options.epochs)
    accuracies = measure_accuracies(network, backbone, images[kept_apart], labels[targets[kept_apart]])
    found = ", ".join(f"{name} {accuracy:.3f}" for name, accuracy in zip(ATTRIBUTES, accuracies, strict=True))
    print(f"accuracy on {int(kept_apart.sum())} pictures kept apart: {found}")
    write_weights(options.out, backbone, options, accuracies[0])


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images-per-class", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=PRETRAINED_WEIGHTS)
    return parser.parse_args()


def draw_arrays(images_per_class: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Return images (N, 3, H, W) uint8 and targets (N,), class after class."""
    with ProcessPoolExecutor() as pool:
        drawn = list(pool.map(partial(draw_class, count=images_per_class, seed=seed), PRETRAINING_TYPES))
    images = torch.from_numpy(np.concatenate(drawn)).permute(0, 3, 1, 2)
    return images, torch.arange(len(drawn)).repeat_interleave(images_per_class)


def draw_class(aircraft_type: AircraftType, *, count: int, seed: int) -> NDArray[np.uint8]:
    """Return pictures (count, H, W, 3) of one type."""
    pictures = [
        draw_aircraft(aircraft_type, build_generator(aircraft_type, number, seed=seed), size=IMAGE_SIZE)
        for number in range(count)
    ]
    return np.stack([np.asarray(picture) for picture in pictures])


def label_attributes() -> Tensor:
    """Return, for every type, the place of the value of each attribute among all of its values (T, A)."""
    columns = [[getattr(aircraft_type, attribute) for aircraft_type in PRETRAINING_TYPES] for attribute in ATTRIBUTES]
    return torch.tensor([[sorted(set(column)).index(value) for value in column] for column in columns]).T


def count_values(labels: Tensor) -> list[int]:
    """Return how many values each attribute has."""
    counts: list[int] = (labels.amax(dim=0) + 1).tolist()
    return counts


def train(network: nn.Module, backbone: Backbone, images: Tensor, labels: Tensor, *, epochs: int) -> None:
    """Train with AdamW and a one-cycle rate on pictures and the values of their attributes (N, A); a line per epoch."""
    steps_per_epoch = len(labels) // BATCH_SIZE
    sizes = count_values(labels)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, epochs * steps_per_epoch, pct_start=0.15)
    for epoch in range(1, epochs + 1):
        network.train()
        started, losses = time.monotonic(), []
        for places in shuffled_batches(len(labels)):
            batch = preprocess(augment(images[places]), backbone)
            if epoch <= SMALL_SHARE * epochs:
                batch = functional.interpolate(batch, size=SMALL_SIZE, mode="bilinear", antialias=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = network(batch).float().split(sizes, dim=1)
            loss = sum_losses(logits, labels[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {np.mean(losses):.3f}, {time.monotonic() - started:.0f} seconds", flush=True)


def sum_losses(logits: tuple[Tensor, ...], labels: Tensor) -> Tensor:
    """Add up the losses of all attributes."""
    losses = [
        functional.cross_entropy(of_one, target, label_smoothing=0.05)
        for of_one, target in zip(logits, labels.unbind(dim=1), strict=True)
    ]
    return torch.stack(losses).sum()


def shuffled_batches(count: int) -> Iterator[Tensor]:
    """Yield the places of whole batches in random order."""
    yield from torch.randperm(count)[: count // BATCH_SIZE * BATCH_SIZE].split(BATCH_SIZE)


def augment(images: Tensor) -> Tensor:
    """Mirror each picture (N, 3, H, W) or not, and shift them by some pixels."""
    mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
    images = torch.where(mirrored, images.flip(3), images)
    padded = functional.pad(images.float(), [SHIFT_PIXELS] * 4, mode="reflect")
    down, right = torch.randint(2 * SHIFT_PIXELS + 1, (2,)).tolist()
    return padded[:, :, down : down + IMAGE_SIZE, right : right + IMAGE_SIZE]


def preprocess(images: Tensor, backbone: Backbone) -> Tensor:
    """Scale 0..255 to what the backbone expects."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (backbone.mean, backbone.std))
    return ((images / 255 - mean) / std).to(memory_format=torch.channels_last)


@torch.inference_mode()
def measure_accuracies(network: nn.Module, backbone: Backbone, images: Tensor, labels: Tensor) -> list[float]:
    """Return, for each attribute, the fraction of pictures whose value is found."""
    network.eval()
    logits = torch.cat([network(preprocess(batch, backbone)) for batch in images.split(256)])
    predictions = torch.stack([of_one.argmax(dim=1) for of_one in logits.split(count_values(labels), dim=1)], dim=1)
    accuracies: list[float] = (predictions == labels).float().mean(dim=0).tolist()
    return accuracies


def write_weights(path: Path, backbone: Backbone, options: argparse.Namespace, accuracy: float) -> None:
    """Write the backbone in half precision, with how it was trained."""
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in backbone.network.state_dict().items()
    }
    metadata = {
        "architecture": ARCHITECTURE,
        "trained_on": f"{len(PRETRAINING_TYPES)} types of rendered aircraft that are not in the demo",
        "images_per_class": str(options.images_per_class),
        "image_size_pixels": str(IMAGE_SIZE),
        "epochs": str(options.epochs),
        "seed": str(options.seed),
        "accuracy_on_pictures_kept_apart": f"{accuracy:.3f}",
        "made_by": "tools/pretrain_demo.py",
        "licence": "Apache-2.0",
    }
    write_atomically(path, save(state, metadata))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
