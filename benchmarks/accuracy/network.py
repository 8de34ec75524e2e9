"""The networks of the comparison, as a user of PyTorch would build them."""

from pathlib import Path

import timm
from safetensors.torch import load_file
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import nn
from torchvision import models


def build_network(name: str, weights: Path | None, num_classes: int) -> nn.Module:
    """Build timm's pretrained network with a new last layer, or a ResNet-18 for small pictures from scratch."""
    if weights is None:
        return build_small_resnet(num_classes)
    network = timm.create_model(name)
    load_weights(network, weights)
    network.reset_classifier(num_classes)
    return network


def load_weights(network: nn.Module, weights: Path) -> None:
    """Load the weights of a file; those of a last layer that the network does not have are left out."""
    tensors = {name: tensor.float() for name, tensor in load_file(weights).items()}
    wanted = network.state_dict()
    network.load_state_dict({name: tensor for name, tensor in tensors.items() if name in wanted})


def build_small_resnet(num_classes: int) -> nn.Module:
    """Build a ResNet-18 whose stem keeps the resolution of 32 px pictures."""
    network = models.resnet18(num_classes=num_classes)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


def read_statistics(name: str, weights: Path | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of the colours that the weights expect."""
    config = None if weights is None else timm.get_pretrained_cfg(name)
    if config is None:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return tuple(config.mean), tuple(config.std)
