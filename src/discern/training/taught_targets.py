"""Distillation: a network learns the probabilities of a teacher beside the labels.

Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, https://arxiv.org/abs/1503.02531.
Probabilities are taken as the teacher's calibration gives them, not at a higher temperature, and once for each picture
without augmentation. Beyer et al., "Knowledge distillation: A good teacher is patient and consistent", 2022,
https://arxiv.org/abs/2106.05237, let the teacher see every augmented view, which pays in hundreds of epochs; here it
would cost a forward pass of the larger network in every step.
"""

import torch
from torch import Tensor
from torch.nn import functional


class TaughtTargets:
    """Blends the labels of a batch with what a teacher says of its pictures.

    Args:
        probabilities: (N, K) of the training pictures.
        weight: Share of them (0..1) in what is learnt.
    """

    def __init__(self, probabilities: Tensor, weight: float) -> None:
        self._probabilities = probabilities
        self._weight = weight

    def __call__(self, labels: Tensor, rows: Tensor) -> Tensor:
        """Return targets (B, K) for class indices (B,) and rows (B,) of the training pictures."""
        answers = self._probabilities[rows].to(labels.device, non_blocking=True)
        return torch.lerp(functional.one_hot(labels, answers.shape[1]).to(answers.dtype), answers, self._weight)
