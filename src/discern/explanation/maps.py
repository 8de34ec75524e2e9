"""From images and classes to maps of evidence, by any of the methods."""

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from discern.engine.forward import evaluating
from discern.errors import ConfigError
from discern.explanation.cells import enlarge_map, locate_cells
from discern.explanation.class_activation import compute_grad_cam, compute_hires_cam
from discern.explanation.integrated_gradients import compute_integrated_gradients
from discern.predictor.bundle import Bundle
from discern.predictor.predictor import Predictor

_BLUR_SHARE = 0.02
"""Of the side of the picture: values of single pixels are too scattered to be seen."""


def _map_grad_cam(bundle: Bundle, images: Tensor, targets: Tensor) -> Tensor:
    evidence = compute_grad_cam(bundle.classifier, images, targets)
    return enlarge_map(evidence, images.shape[-1], locate_cells(bundle.architecture))


def _map_hires_cam(bundle: Bundle, images: Tensor, targets: Tensor) -> Tensor:
    evidence = compute_hires_cam(bundle.classifier, images, targets)
    return enlarge_map(evidence, images.shape[-1], locate_cells(bundle.architecture))


def _map_integrated_gradients(bundle: Bundle, images: Tensor, targets: Tensor) -> Tensor:
    """Return what speaks for the classes, averaged over neighbouring pixels."""
    evidence = compute_integrated_gradients(bundle.classifier, images, targets).sum(dim=1)
    sigma = _BLUR_SHARE * evidence.shape[-1]
    blurred: Tensor = gaussian_blur(evidence, kernel_size=[2 * ceil(3 * sigma) + 1] * 2, sigma=[sigma, sigma])
    return blurred.relu()


METHODS: dict[str, Callable[[Bundle, Tensor, Tensor], Tensor]] = {
    "grad-cam": _map_grad_cam,
    "hires-cam": _map_hires_cam,
    "integrated-gradients": _map_integrated_gradients,
}
"""By name: (bundle, normalised images (N, 3, S, S), targets (N,)) to evidence (N, S, S), 0 and above."""


def explain_predictions(
    predictor: Predictor,
    images: Tensor,
    targets: Sequence[int] | npt.NDArray[np.int64] | Tensor,
    method: str = "grad-cam",
) -> npt.NDArray[np.float32]:
    """Return where in each picture the evidence for a class lies, float32 (N, S, S) in 0..1.

    Each map is scaled to its own strongest place, which is 1; a map of zeros means that nothing spoke for the class.
    Everything is computed in fp32 whatever the precision of the run, since rounding to bf16 makes the gradients, and
    with them the maps, noisy. The classifier comes back as it was, with nothing left in its gradients.

    Args:
        predictor: The trained classifier.
        images: uint8 (N, 3, S, S), as the bundle's preprocessing gives them.
        targets: The class (N,) that each picture is explained for.
        method: One of `METHODS`.

    Raises:
        ConfigError: There is no such method, or it does not fit the backbone.
    """
    compute = find_method(method)
    maps = []
    # A caller's inference mode would leave nothing to differentiate.
    with torch.inference_mode(mode=False), torch.no_grad(), evaluating(predictor.bundle.classifier):
        wanted = torch.as_tensor(targets, dtype=torch.int64).clone()
        for part, classes in zip(*(torch.split(rows, predictor.batch_size) for rows in (images, wanted)), strict=True):
            inputs = predictor.bundle.preprocess.normalize(predictor.runtime.move(part))
            maps.append(_scale(compute(predictor.bundle, inputs, classes.to(inputs.device))))
    return torch.cat(maps).numpy() if maps else np.zeros((0, *images.shape[-2:]), dtype=np.float32)


def find_method(name: str) -> Callable[[Bundle, Tensor, Tensor], Tensor]:
    """Return the method of this name.

    Raises:
        ConfigError: There is none.
    """
    if name not in METHODS:
        raise ConfigError(f"there is no method {name!r} to explain with; choose one of {', '.join(METHODS)}")
    return METHODS[name]


def _scale(maps: Tensor) -> Tensor:
    """Bring the strongest place of each map to 1."""
    strongest = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(strongest > 0, maps / strongest.clamp_min(torch.finfo(maps.dtype).tiny), 0.0).cpu()
