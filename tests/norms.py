"""BatchNorms that have seen something, so that leaving them out would be noticed."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def scramble(norm: _BatchNorm) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    for tensor, low, high in [
        (norm.running_mean, -0.3, 0.3),
        (norm.running_var, 0.5, 2.0),
        (norm.weight, 0.5, 1.5),
        (norm.bias, -0.3, 0.3),
    ]:
        nn.init.uniform_(tensor, low, high)


def scramble_all(module: nn.Module) -> None:
    for norm in module.modules():
        if isinstance(norm, _BatchNorm):
            scramble(norm)
