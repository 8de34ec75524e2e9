"""From images and classes to maps of evidence, by any of the methods."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from discern.engine.forward import evaluating
from discern.explanation.methods import AUTO, EXPLANATIONS, choose_method
from discern.predictor.predictor import Predictor


def explain_predictions(
    predictor: Predictor,
    images: Tensor,
    targets: Sequence[int] | npt.NDArray[np.int64] | Tensor,
    method: str = AUTO,
) -> npt.NDArray[np.float32]:
    """Return where in each picture the evidence for a class lies, float32 (N, S, S) in 0..1.

    Each map is scaled so that its strongest place is 1; a map of zeros means that nothing is evidence for the class.
    Everything is computed in fp32 whatever the precision of the run, since rounding to bf16 makes the gradients, and
    with them the maps, noisy. The classifier is not changed, and no gradient is left in it.

    Args:
        predictor: The trained classifier.
        images: uint8 (N, 3, S, S), as the bundle's preprocessing gives them.
        targets: The class (N,) that each picture is explained for.
        method: A name of `EXPLANATIONS`, or "auto" for the one that suits the backbone.

    Raises:
        ConfigError: There is no such method, or it does not fit the backbone.
    """
    compute = EXPLANATIONS.find(choose_method(method, predictor.bundle.classifier.backbone))
    maps = []
    # A caller's inference mode would leave nothing to differentiate.
    with torch.inference_mode(mode=False), torch.no_grad(), evaluating(predictor.bundle.classifier):
        wanted = torch.as_tensor(targets, dtype=torch.int64).clone()
        for part, classes in zip(*(torch.split(rows, predictor.batch_size) for rows in (images, wanted)), strict=True):
            inputs = predictor.bundle.preprocess.normalize(predictor.runtime.move(part))
            maps.append(_scale(compute(predictor.bundle, inputs, classes.to(inputs.device))))
    return torch.cat(maps).numpy() if maps else np.zeros((0, *images.shape[-2:]), dtype=np.float32)


def _scale(maps: Tensor) -> Tensor:
    """Scale each map so that its strongest place is 1."""
    strongest = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(strongest > 0, maps / strongest.clamp_min(torch.finfo(maps.dtype).tiny), 0.0).cpu()
