"""Mixes the pictures and labels of a batch."""

from torch import nn


def build_mixing(num_classes: int, *, mixup: float, cutmix: float) -> nn.Module | None:
    """Return a module that mixes the pictures and labels of a batch, or None if both alphas are 0.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2017); Yun et al., "CutMix" (2019).
    """
    if not mixup and not cutmix:
        return None
    # Imported here since it takes a second, and most trainings do not mix.
    from torchvision.transforms import v2

    mixers: list[v2.Transform] = []
    if mixup:
        mixers.append(v2.MixUp(alpha=mixup, num_classes=num_classes))
    if cutmix:
        mixers.append(v2.CutMix(alpha=cutmix, num_classes=num_classes))
    return v2.RandomChoice(mixers)
