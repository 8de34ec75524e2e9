"""A network whose answer depends on nothing but a patch of colour, by construction."""

import numpy as np
import pytest
import torch
from torch import nn

from discern.data.reading.preprocess import Preprocess
from discern.models.architecture import Architecture
from discern.models.build import build_classifier
from discern.predictor.bundle import Bundle
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime

COLOURS = ((230, 30, 30), (30, 230, 30), (30, 30, 230))


def build_predictor(classifier, architecture, size, precision="fp32"):
    preprocess = Preprocess(size, "squash", classifier.backbone.mean, classifier.backbone.std)
    bundle = Bundle(classifier.eval(), architecture, ("red", "green", "blue"), preprocess, 10**6)
    return Predictor(bundle, choose_runtime(device="cpu", precision=precision, threads=1))


def build_random(backbone, size, seed=0, precision="fp32", **settings):
    torch.manual_seed(seed)
    architecture = Architecture(backbone=backbone, **settings)
    return build_predictor(build_classifier(architecture, 3, image_size=size), architecture, size, precision)


def build_colour_detector(stem, size):
    """A ResNet of shortcuts alone: channel k of the map is how much of colour k there is, and so is logit k."""
    architecture = Architecture(backbone="resnet18-half", stem=stem, zero_init_residual=True)
    classifier = build_classifier(architecture, 3)
    network, linear = classifier.backbone.network, classifier.head.layers[1]
    with torch.no_grad():
        middle = network.conv1.kernel_size[0] // 2
        network.conv1.weight.zero_()
        network.conv1.weight[:3, :, middle, middle] = 1.5 * torch.eye(3) - 0.5
        network.bn1.bias.fill_(-1)
        for layer in (network.layer2, network.layer3, network.layer4):
            projection = layer[0].downsample[0].weight
            projection.zero_()
            projection[:3, :3, 0, 0] = torch.eye(3)
        linear.weight.zero_()
        linear.weight[:, :3] = torch.eye(3)
        linear.bias.zero_()
    return build_predictor(classifier, architecture, size)


@torch.no_grad()
def build_colour_transformer(size):
    """A vision transformer whose class token takes alike from all patches: logit k is how much of colour k there is."""
    architecture = Architecture(backbone="timm:test_vit")
    classifier = build_classifier(architecture, 3, image_size=size)
    network, linear = classifier.backbone.network, classifier.head.layers[1]
    for part in (network.blocks, network.patch_embed, linear):
        for parameter in part.parameters():
            parameter.zero_()
    for parameter in (network.cls_token, network.pos_embed):
        parameter.zero_()
    # Norms would make a patch that is touched by a colour the equal of one that is full of it.
    network.norm = network.blocks[0].norm1 = nn.Identity()
    colours = 1.5 * torch.eye(3) - 0.5
    network.patch_embed.proj.weight[:3] = colours[:, :, None, None] / network.patch_embed.proj.weight[0, 0].numel()
    values = network.blocks[0].attn.qkv.weight[-network.embed_dim :]
    for weight in (values, network.blocks[0].attn.proj.weight, linear.weight):
        weight[:3, :3] = torch.eye(3)
    return build_predictor(classifier, architecture, size)


def draw_patches(size, count=12, seed=0):
    """Grey noise with one patch a picture; returns images, targets, and the patches' upper left corners and side."""
    rng = np.random.default_rng(seed)
    images = np.repeat(rng.integers(90, 160, (count, 1, size, size), dtype=np.uint8), 3, axis=1)
    side = size // 4
    corners = rng.integers(0, size - side, (count, 2))
    targets = rng.integers(0, 3, count)
    for image, (top, left), target in zip(images, corners, targets, strict=True):
        image[:, top : top + side, left : left + side] = np.array(COLOURS[target])[:, None, None]
    return torch.from_numpy(images), targets, corners, side


@pytest.fixture(params=[("small", 64), ("imagenet", 160)], ids=["small", "imagenet"])
def patches(request):
    """The predictor, and what `draw_patches` gives."""
    stem, size = request.param
    return build_colour_detector(stem, size), *draw_patches(size)
