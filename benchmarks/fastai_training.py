"""fastai's `fine_tune` with its defaults: one epoch of the frozen network, then all layers."""

import argparse
import json
import time
from pathlib import Path

import torch
from fastai.vision.all import ImageDataLoaders, Resize, accuracy, vision_learner
from safetensors.torch import load_file
from torchvision import models

PARTS = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}


def main() -> None:
    """Train, and print the seconds of an epoch and the last validation accuracy as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    loaders = ImageDataLoaders.from_folder(
        options.data, train="train", valid="val", item_tfms=Resize(224), bs=32, num_workers=2
    )
    learner = vision_learner(loaders, models.resnet50, metrics=accuracy, pretrained=False)
    load_backbone(learner.model[0], options.weights)
    rate = 2e-3
    with learner.no_bar(), learner.no_logging():
        # What `fine_tune(epochs)` does, with a clock around its second part.
        learner.freeze()
        learner.fit_one_cycle(1, slice(rate), pct_start=0.99)
        learner.unfreeze()
        started = time.perf_counter()
        learner.fit_one_cycle(options.epochs, slice(rate / 200, rate / 2), pct_start=0.3, div=5.0)
        seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds / options.epochs, "accuracy": float(learner.recorder.values[-1][-1])}))


def load_backbone(body: torch.nn.Module, weights: Path) -> None:
    """Load the weights of the file into fastai's body, which numbers the parts of the network."""
    tensors = load_file(weights)
    body.load_state_dict({name: tensors[PARTS[name.split(".")[0]] + name[1:]] for name in body.state_dict()})


if __name__ == "__main__":
    main()
