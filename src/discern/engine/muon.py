"""Muon: matrices move by their orthogonalised momentum, all else by AdamW."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw
from torch.optim.optimizer import ParamsT

_FEWEST_ROWS = 4
# Of each iteration a X + b X X' X + c (X X')^2 X. Those of one tuple follow one another on the Gram matrix; of three or
# more to begin with, rounding in bf16 can grow without bounds.
_ITERATIONS = (
    ((4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377)),
    ((3.7418, -5.5913, 2.3037), (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012)),
)


class Muon(torch.optim.Optimizer):
    """Moves matrices by an orthogonalised momentum, as far as AdamW would move them, and the rest by AdamW.

    Args:
        params: Parameters or groups; a group is moved as matrices if it says `"orthogonalized": True`.
        lr: Learning rate of groups that state none.
        momentum: Share of the former mean that the mean of a matrix's gradients keeps.
        weight_decay: Of groups that state none.
        betas: Of AdamW.
        dtype: What matrices are multiplied in.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with the scale of Liu et
    al., "Muon is Scalable for LLM Training" (2025), https://arxiv.org/abs/2502.16982, section 2.2.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        self.dtype = dtype
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "betas": betas,
            "eps": 1e-8,
            "orthogonalized": False,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move all parameters that have a gradient."""
        for group in self.param_groups:
            learning = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["orthogonalized"]:
                for parameter in learning:
                    self._turn(parameter, group)
            else:
                self._move(learning, group)

    def _turn(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        mean = state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
        move = orthogonalize(_flatten(mean).to(self.dtype))
        rate = group["lr"] * 0.2 * math.sqrt(max(move.shape))
        _flatten(parameter).mul_(1 - group["lr"] * group["weight_decay"]).add_(move, alpha=-rate)

    def _move(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter] = {
                    "step": torch.zeros((), device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        states = [self.state[parameter] for parameter in parameters]
        beta1, beta2 = group["betas"]
        adamw(
            parameters,  # type: ignore[arg-type]
            [parameter.grad for parameter in parameters],  # type: ignore[misc]
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def is_matrix(parameter: Tensor) -> bool:
    """Return whether a parameter is a matrix or a convolution that is worth turning: no norm, bias or depthwise one."""
    return parameter.ndim > 1 and parameter.shape[0] >= _FEWEST_ROWS and parameter.shape[1] > 1


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return about U V' of a matrix (M, N) = U S V', in its precision: singular values over 1e-2 or so become about 1.

    The Newton-Schulz iteration is done on the small Gram matrix X X' instead of X, which takes half as long for a wide
    matrix; after two of five iterations it is computed anew.

    Source: Jordan et al. (2024), with coefficients of F. L. Cesista et al., "Squeezing 1-2% Efficiency Gains Out of
    Muon by Optimizing the Newton-Schulz Coefficients" (2025); Zhang et al., "Gram Newton-Schulz" (2026),
    https://dao-lab.ai/blog/2026/gram-newton-schulz/.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalize(matrix.mT).mT
    gram = matrix @ matrix.mT
    # The root of the sum of all squared singular values, so that none is above 1.
    norm = gram.diagonal().sum(dtype=torch.float32).clamp(min=1e-14).sqrt()
    first, then = _ITERATIONS
    turned = _iterate(gram / norm.square(), first) / norm @ matrix
    return _iterate(turned @ turned.mT, then) @ turned


def _iterate(gram: Tensor, coefficients: Sequence[tuple[float, float, float]]) -> Tensor:
    """Return what some iterations multiply a matrix with, by its Gram matrix (M, M)."""
    factor = factors = _evaluate(gram, *coefficients[0])
    for following in coefficients[1:]:
        gram = factor @ gram @ factor
        factor = _evaluate(gram, *following)
        factors = factor @ factors
    return factors


def _evaluate(gram: Tensor, a: float, b: float, c: float) -> Tensor:
    """Return a + b G + c G^2 of a Gram matrix G."""
    factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor


def _flatten(values: Tensor) -> Tensor:
    """Return a view (M, N) of weights (M, ...): which column is which does not matter, and to copy them takes time."""
    if values.is_contiguous(memory_format=torch.channels_last):
        values = values.permute(0, 2, 3, 1)
    return values.view(len(values), -1)
