"""Residual networks (ResNet-18 to ResNet-152), written to be read.

A plain network of many layers is harder to train than a shallow one, even on the training pictures themselves: the
added layers would only have to copy their input to do no harm, and gradient descent does not find that copy. He et al.
let each block of layers learn a *residual* F(x) that is added to the block's input:

    y = relu(F(x) + shortcut(x))

Copying is now the easy case (F = 0), and the gradient reaches early layers along the shortcuts undiminished. The
shortcut is the identity; only where a block changes the number of channels or the resolution is it a *projection*,
a strided 1x1 convolution.

Table 1 of the paper, for a picture of 224x224 pixels. Brackets are one residual block, "x n" is how many follow each
other; the first block of layer2, layer3 and layer4 halves the resolution.

    stage    output   18-layer       34-layer       50-layer        101-layer       152-layer
    stem     112x112  7x7, 64, stride 2
              56x56   3x3 max pool, stride 2
    layer1    56x56   [3x3,  64]     [3x3,  64]     [1x1,   64]     [1x1,   64]     [1x1,   64]
                      [3x3,  64]x2   [3x3,  64]x3   [3x3,   64]     [3x3,   64]     [3x3,   64]
                                                    [1x1,  256]x3   [1x1,  256]x3   [1x1,  256]x3
    layer2    28x28   [3x3, 128]     [3x3, 128]     [1x1,  128]     [1x1,  128]     [1x1,  128]
                      [3x3, 128]x2   [3x3, 128]x4   [3x3,  128]     [3x3,  128]     [3x3,  128]
                                                    [1x1,  512]x4   [1x1,  512]x4   [1x1,  512]x8
    layer3    14x14   [3x3, 256]     [3x3, 256]     [1x1,  256]     [1x1,  256]     [1x1,  256]
                      [3x3, 256]x2   [3x3, 256]x6   [3x3,  256]     [3x3,  256]     [3x3,  256]
                                                    [1x1, 1024]x6   [1x1, 1024]x23  [1x1, 1024]x36
    layer4     7x7    [3x3, 512]     [3x3, 512]     [1x1,  512]     [1x1,  512]     [1x1,  512]
                      [3x3, 512]x2   [3x3, 512]x3   [3x3,  512]     [3x3,  512]     [3x3,  512]
                                                    [1x1, 2048]x3   [1x1, 2048]x3   [1x1, 2048]x3
    head       1x1    average pool, 1000-d fully connected, softmax
    GFLOPs            1.8            3.6            3.8             7.6             11.3

Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2015, https://arxiv.org/abs/1512.03385.

Where this file deviates from the paper:

- A bottleneck block that halves the resolution does so in its 3x3 convolution, not in its first 1x1 ("v1.5", as in
  torchvision and timm): a strided 1x1 never looks at three quarters of its input.
- Optional: stochastic depth, a stem for pictures of about 32x32 pixels, another width, and a last BatchNorm of every
  block that starts at zero, so that every block starts as its shortcut (Goyal et al. 2017,
  https://arxiv.org/abs/1706.02677). Made for large batches and many epochs, that slows the first thousand steps down.

Modules carry torchvision's names, so that state dicts load strictly to and from torchvision's and timm's ResNets.
"""

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

import torch
from torch import Tensor, nn

from discern.errors import ConfigError

Stem = Literal["imagenet", "small"]


class ResNetOptions(TypedDict, total=False):
    """What every depth can be varied in; see `ResNet` for the meaning and the defaults."""

    stem: Stem
    width: int
    zero_init_residual: bool
    stochastic_depth: float


class StochasticDepth(nn.Module):
    """Skips the residual branch of a random share of the pictures while training; does nothing in eval mode.

    The branches that are kept are scaled by 1 / (1 - drop_rate), so that their expectation does not change.

    Source: Huang et al., "Deep Networks with Stochastic Depth", 2016, https://arxiv.org/abs/1603.09382. There the
    branch is scaled down at test time instead, and one draw holds for the whole batch.
    """

    def __init__(self, drop_rate: float) -> None:
        super().__init__()
        self.drop_rate = drop_rate

    def forward(self, residual: Tensor) -> Tensor:
        """Drop or scale each of the N residuals (N, C, H, W)."""
        if not self.training or self.drop_rate == 0.0:
            return residual
        keep_rate = 1.0 - self.drop_rate
        kept = residual.new_empty(residual.shape[0], 1, 1, 1).bernoulli_(keep_rate)
        return residual * (kept / keep_rate)

    def extra_repr(self) -> str:
        """Show the drop rate in the printed network."""
        return f"drop_rate={self.drop_rate:g}"


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: the block of ResNet-18 and ResNet-34."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, *, stride: int = 1, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.stochastic_depth = StochasticDepth(drop_rate)
        self.downsample = _projection(in_channels, channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.bn2(self.conv2(residual))
        shortcut = maps if self.downsample is None else self.downsample(maps)
        output: Tensor = self.relu(self.stochastic_depth(residual) + shortcut)
        return output

    def zero_init_residual(self) -> None:
        """Start the block as its shortcut."""
        nn.init.zeros_(self.bn2.weight)


class Bottleneck(nn.Module):
    """A 1x1 convolution that narrows, a 3x3, a 1x1 that widens, and a shortcut: the block of ResNet-50 and deeper.

    The 3x3 convolution works on a quarter of the channels, which buys depth at the cost of a basic block.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, *, stride: int = 1, drop_rate: float = 0.0) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = _conv1x1(in_channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = _conv1x1(channels, out_channels)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.stochastic_depth = StochasticDepth(drop_rate)
        self.downsample = _projection(in_channels, out_channels, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 4 * channels, H / stride, W / stride)."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        shortcut = maps if self.downsample is None else self.downsample(maps)
        output: Tensor = self.relu(self.stochastic_depth(residual) + shortcut)
        return output

    def zero_init_residual(self) -> None:
        """Start the block as its shortcut."""
        nn.init.zeros_(self.bn3.weight)


class ResNet(nn.Module):
    """A stem, four layers of residual blocks, average pooling and a linear classifier.

    Args:
        block: The kind of residual block.
        depths: Blocks in layer1 to layer4.
        num_classes: Logits; 0 leaves the classifier out, so that the network gives pooled features.
        stem: "imagenet" divides the resolution by 4 before the first block; "small" (3x3, stride 1, no pooling) keeps
            it, for pictures of about 32x32 pixels.
        width: Channels of the stem; layer1 to layer4 have 1, 2, 4 and 8 times as many (times 4 for bottlenecks).
        zero_init_residual: Start every block as its shortcut.
        stochastic_depth: Drop rate of the last block, in [0, 1); it grows linearly from the first block on.

    Raises:
        ConfigError: The stem is unknown or the drop rate is out of range.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: Sequence[int],
        num_classes: int = 1000,
        *,
        stem: Stem = "imagenet",
        width: int = 64,
        zero_init_residual: bool = False,
        stochastic_depth: float = 0.0,
    ) -> None:
        super().__init__()
        self.conv1, self.maxpool = _stem(stem, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

        drop_rates = _drop_rates(stochastic_depth, depths)
        in_channels = [width] + [width * factor * block.expansion for factor in (1, 2, 4)]
        self.layer1 = _layer(block, in_channels[0], width, stride=1, drop_rates=drop_rates[0])
        self.layer2 = _layer(block, in_channels[1], 2 * width, stride=2, drop_rates=drop_rates[1])
        self.layer3 = _layer(block, in_channels[2], 4 * width, stride=2, drop_rates=drop_rates[2])
        self.layer4 = _layer(block, in_channels[3], 8 * width, stride=2, drop_rates=drop_rates[3])

        self.num_features = 8 * width * block.expansion
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self._initialise(zero_init_residual)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, K), or to features (N, F) when there is no classifier."""
        logits: Tensor = self.fc(self.forward_features(images))
        return logits

    def forward_features(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to pooled features (N, F)."""
        return self.pool_map(self.forward_map(images))

    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature map (N, F, H / 32, W / 32), or H / 8 with the small stem."""
        return self.forward_stages(images)[-1]

    def forward_stages(self, images: Tensor) -> list[Tensor]:
        """Map images (N, 3, H, W) to the feature maps of layer1 to layer4."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        found: list[Tensor] = []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = layer(maps)
            found.append(maps)
        return found

    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the last feature map (N, F, h, w) to pooled features (N, F)."""
        return torch.flatten(self.avgpool(maps), 1)

    def _initialise(self, zero_init_residual: bool) -> None:
        """Scale every convolution for the ReLU behind it.

        Source: He et al., "Delving Deep into Rectifiers", 2015, https://arxiv.org/abs/1502.01852.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
                module.zero_init_residual()


def resnet18(num_classes: int = 1000, **options: Unpack[ResNetOptions]) -> ResNet:
    """Build a ResNet-18: 11.7 million parameters with 1000 classes."""
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, **options)


def resnet34(num_classes: int = 1000, **options: Unpack[ResNetOptions]) -> ResNet:
    """Build a ResNet-34: 21.8 million parameters with 1000 classes."""
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, **options)


def resnet50(num_classes: int = 1000, **options: Unpack[ResNetOptions]) -> ResNet:
    """Build a ResNet-50: 25.6 million parameters with 1000 classes."""
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, **options)


def resnet101(num_classes: int = 1000, **options: Unpack[ResNetOptions]) -> ResNet:
    """Build a ResNet-101: 44.5 million parameters with 1000 classes."""
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes, **options)


def resnet152(num_classes: int = 1000, **options: Unpack[ResNetOptions]) -> ResNet:
    """Build a ResNet-152: 60.2 million parameters with 1000 classes."""
    return ResNet(Bottleneck, (3, 8, 36, 3), num_classes, **options)


def _conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)


def _conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """The shortcut of a block whose output has another shape than its input; None where the identity will do."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(_conv1x1(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))


def _stem(stem: Stem, width: int) -> tuple[nn.Conv2d, nn.Module]:
    """The first convolution and the pooling behind it."""
    if stem == "imagenet":
        convolution = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        return convolution, nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    if stem == "small":
        return _conv3x3(3, width), nn.Identity()
    raise ConfigError(f'stem is {stem!r}; expected "imagenet" or "small" (for pictures of about 32x32 pixels).')


def _layer(
    block: type[BasicBlock | Bottleneck], in_channels: int, channels: int, *, stride: int, drop_rates: Sequence[float]
) -> nn.Sequential:
    """Chain one block per drop rate; the first changes resolution and channels, the others keep both."""
    first = block(in_channels, channels, stride=stride, drop_rate=drop_rates[0])
    others = [block(channels * block.expansion, channels, drop_rate=rate) for rate in drop_rates[1:]]
    return nn.Sequential(first, *others)


def _drop_rates(last: float, depths: Sequence[int]) -> list[list[float]]:
    """Rates that grow linearly with the block's place, last / L, 2 last / L, ..., last, grouped by layer."""
    if not 0.0 <= last < 1.0:
        raise ConfigError(f"stochastic_depth is {last:g}; expected a drop rate from 0 up to, not including, 1.")
    rates = iter([last * (place + 1) / sum(depths) for place in range(sum(depths))])
    return [[next(rates) for _ in range(depth)] for depth in depths]
