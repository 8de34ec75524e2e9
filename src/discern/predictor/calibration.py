"""From logits to probabilities that mean what they say."""

from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, Field
from torch import Tensor

from discern.errors import BundleError
from discern.percent import percent


class Calibration(BaseModel):
    """How logits become calibrated probabilities, and the pictures that it was fitted on.

    Logits are divided by `temperature`; where that does not suffice, each is then multiplied with its class's number of
    `scales` (K) and its number of `biases` (K) is added. The expected calibration errors, in 0..1, are of the `count`
    pictures of the `split` that it was fitted on: `ece_after` by cross-validation, each picture's by a calibration that
    was fitted without it. With `is_inside`, the network has it inside, as an ensemble whose members are calibrated, and
    its logits are calibrated already.
    """

    temperature: Annotated[float, Field(gt=0)] = 1.0
    scales: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    biases: tuple[float, ...] | None = None
    count: int = 0
    split: str = "validation"
    is_inside: bool = False
    ece_before: float | None = None
    ece_after: float | None = None

    @property
    def is_neutral(self) -> bool:
        """Whether it leaves the logits as they are."""
        return self.temperature == 1 and self.scales is None

    def describe(self) -> str:
        """Return what was done, on how many pictures and with which calibration error, as text."""
        if self.ece_before is None or self.ece_after is None:
            return "confidences are not calibrated"
        if self.is_neutral:
            return (
                f"confidences stay as the network gives them: {self.count} {self.split} pictures do not show that "
                f"calibration helps; their calibration error is {percent(self.ece_before)}"
            )
        more = "" if self.scales is None else ", and a scale and a bias per class"
        return (
            f"confidences are calibrated with temperature {self.temperature:.2f}{more}: calibration error "
            f"{percent(self.ece_after)} in cross-validation on {self.count} {self.split} pictures, "
            f"{percent(self.ece_before)} without it"
        )

    def compute_scales(self, num_classes: int) -> tuple[Tensor, Tensor]:
        """Return what each class's logit is multiplied with and what is then added, float64 (K) each."""
        scales = torch.tensor(self.scales or [1.0] * num_classes, dtype=torch.float64)
        biases = torch.tensor(self.biases or [0.0] * num_classes, dtype=torch.float64)
        return scales / self.temperature, biases

    def apply(self, logits: Tensor) -> Tensor:
        """Return calibrated logits (N, K), whose softmax are the probabilities, in the type and place of `logits`."""
        if self.is_inside:
            return logits
        calibrated = logits / self.temperature
        if self.scales is not None and self.biases is not None:
            calibrated = calibrated * logits.new_tensor(self.scales) + logits.new_tensor(self.biases)
        return calibrated


def compute_probabilities(logits: Tensor, calibration: Calibration) -> npt.NDArray[np.float64]:
    """Return the softmax (N, K) of calibrated logits (N, K), in double precision so that rows add up to 1.

    Raises:
        BundleError: Some are not finite, so that there are no answers.
    """
    probabilities = calibration.apply(logits.double()).softmax(dim=1)
    wrong = int((~torch.isfinite(probabilities)).any(dim=1).sum())
    if wrong:
        raise BundleError(
            f"the classifier gives no finite numbers for {wrong} of {len(logits)} pictures: its weights or its "
            "calibration are damaged, or too large for its precision. Take the bundle from a copy, or train again"
        )
    return probabilities.numpy()
