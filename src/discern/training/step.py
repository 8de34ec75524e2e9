"""One training step: forward, loss, backward, and an update every so many batches."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.transforms import v2

from discern.data.loaders import Batch
from discern.data.preprocess import Preprocess
from discern.errors import TrainingError
from discern.loop import StepResult
from discern.runtime import Runtime
from discern.training.averaging import WeightAverage
from discern.training.optimizers import get_learning_rate, set_rate_factor


class TrainStep:
    """Learns from one batch.

    Gradients of `accumulation_steps` batches are summed over their pictures and divided by the number of pictures at
    the update, so that a last, smaller batch weighs by its pictures. The reported loss is the plain cross-entropy of
    the labels, without smoothing, mixing and class weights: it can be compared with the validation loss.
    """

    def __init__(
        self,
        classifier: nn.Module,
        optimizer: torch.optim.Optimizer,
        preprocess: Preprocess,
        runtime: Runtime,
        *,
        rate_factor: Callable[[float], float],
        batches_per_epoch: int,
        mixing: v2.Transform | None = None,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        accumulation_steps: int = 1,
        clip_norm: float = 0.0,
        average: WeightAverage | None = None,
    ) -> None:
        self.classifier = classifier
        self.optimizer = optimizer
        self.preprocess = preprocess
        self.runtime = runtime
        self.rate_factor = rate_factor
        self.batches_per_epoch = batches_per_epoch
        self.mixing = mixing
        self.class_weights = class_weights
        self.label_smoothing = label_smoothing
        self.accumulation_steps = accumulation_steps
        self.clip_norm = clip_norm
        self.average = average
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Begin epoch `epoch` of the stage, counted from 0."""
        self._epoch = epoch
        self._batches_done = 0
        self._step = 1
        self._pending_batches = 0
        self._pending_images = 0

    def __call__(self, batch: Batch) -> StepResult:
        """Learn from one batch.

        Raises:
            TrainingError: The loss or its gradient is not finite.
        """
        set_rate_factor(self.optimizer, self.rate_factor(self._epoch + self._batches_done / self.batches_per_epoch))
        images = self.preprocess.normalize(self.runtime.move_images(batch.images))
        labels = batch.targets.to(self.runtime.device)
        mixed_images, targets = (images, labels) if self.mixing is None else self.mixing(images, labels)
        with self.runtime.autocast():
            logits = self.classifier(mixed_images)
        logits = logits.float()
        loss = functional.cross_entropy(
            logits, targets, weight=self.class_weights, label_smoothing=self.label_smoothing, reduction="sum"
        )
        self._check_finite(loss, "loss")
        loss.backward()  # type: ignore[no-untyped-call]
        self._batches_done += 1
        self._pending_batches += 1
        self._pending_images += len(labels)
        if self._pending_batches == self.accumulation_steps:
            self._update()
        logits = logits.detach()
        plain_loss = functional.cross_entropy(logits, labels, reduction="sum").item()
        return StepResult(plain_loss, int((logits.argmax(dim=1) == labels).sum()), len(labels))

    def finish(self) -> None:
        """Use the gradients that an incomplete group of batches has left."""
        if self._pending_batches:
            self._update()

    def _update(self) -> None:
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        torch._foreach_div_(gradients, self._pending_images)
        norm = nn.utils.get_total_norm(gradients)
        self._check_finite(norm, "norm of the gradient")
        if self.clip_norm:
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip_norm, norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update(self.classifier)
        self._pending_batches = self._pending_images = 0
        self._step += 1

    def _check_finite(self, value: Tensor, name: str) -> None:
        if not torch.isfinite(value):
            raise TrainingError(
                f"the {name} is {value.item()} at step {self._step} of epoch {self._epoch + 1} of the stage, "
                f"with learning rate {get_learning_rate(self.optimizer):.2e}. "
                "A lower learning rate, clip_norm=1 or run.precision=fp32 usually mends that"
            )


def build_mixing(num_classes: int, *, mixup: float, cutmix: float) -> v2.Transform | None:
    """Return what mixes the pictures of a batch and their labels, or None for alphas of 0.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (2017); Yun et al., "CutMix" (2019).
    """
    mixers: list[v2.Transform] = []
    if mixup:
        mixers.append(v2.MixUp(alpha=mixup, num_classes=num_classes))
    if cutmix:
        mixers.append(v2.CutMix(alpha=cutmix, num_classes=num_classes))
    return v2.RandomChoice(mixers) if mixers else None


def compute_class_weights(targets: Tensor, num_classes: int) -> Tensor:
    """Return one weight a class (K,), inverse to its frequency, with mean 1 over the pictures of `targets` (N,)."""
    counts = torch.bincount(targets, minlength=num_classes).clamp(min=1)
    return len(targets) / (num_classes * counts.float())
