"""One training step: forward, loss, backward, and an update after every `accumulation_steps` batches."""

import logging
import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from discern.data.reading.loaders import Batch
from discern.engine.loop import StepResult
from discern.engine.optimizers import get_learning_rate, set_rate_factor
from discern.errors import TrainingError
from discern.models.acceleration.accelerate import accelerate_training
from discern.runtime import Runtime, is_out_of_memory

logger = logging.getLogger("discern")

BlendTargets = Callable[[Tensor, Tensor], Tensor]
"""Maps labels (N,) and rows (N,) of the training pictures to targets (N, K)."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Maps logits (N, K) and targets, class indices (N,) or (after mixing) shares (N, K), to the loss of each picture (N,)
or to their mean."""


def prepare_network(network: nn.Module, *, frozen_batchnorm: bool, runtime: Runtime) -> nn.Module:
    """Return the network to call in training, which shares all weights and is accelerated if the runtime says so."""
    if not runtime.accelerates:
        return network
    return accelerate_training(network, frozen_batchnorm=frozen_batchnorm, device=runtime.device, dtype=runtime.dtype)


class TrainStep:
    """Learns from one batch.

    Gradients are summed over the pictures of `accumulation_steps` batches in all processes and divided by the number of
    pictures, so that a smaller last batch has less weight. A batch that does not fit into memory is halved until it
    does, which only changes the statistics of BatchNorm and the random numbers of dropout and mixing. The reported loss
    is always the plain cross-entropy of the labels. It can be compared with the validation loss, unless pictures are
    mixed, which makes it higher.

    Args:
        network: Gives logits (N, K), or those (M, N, K) of several heads, each of which learns the targets and whose
            mean is what is reported; returned by `Processes.wrap`.
        optimizer: Over the trainable parameters.
        prepare: Turns the images of a batch into the network's inputs, on its device.
        runtime: Device, precision and processes.
        rate_factor: Maps the time in the phase, in epochs, to the factor on all learning rates.
        batches_per_epoch: Length of the loader.
        mixing: Returned by `build_mixing`.
        blend_targets: Makes what is learnt from the labels of a batch; by default they are learnt as they are.
        loss: Training loss; cross-entropy by default.
        accumulation_steps: Batches per update.
        clip_norm: Largest norm of the gradient; 0 for none.
        after_update: Called after each update of the weights.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        prepare: Callable[[Tensor], Tensor],
        runtime: Runtime,
        *,
        rate_factor: Callable[[float], float],
        batches_per_epoch: int,
        mixing: nn.Module | None = None,
        blend_targets: BlendTargets | None = None,
        loss: Loss = functional.cross_entropy,
        accumulation_steps: int = 1,
        clip_norm: float = 0.0,
        after_update: Callable[[], None] | None = None,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.prepare = prepare
        self.runtime = runtime
        self.rate_factor = rate_factor
        self.batches_per_epoch = batches_per_epoch
        self.mixing = mixing
        self.blend_targets = blend_targets
        self.loss = loss
        self.accumulation_steps = accumulation_steps
        self.clip_norm = clip_norm
        self.after_update = after_update
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.parts = 1
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Begin an epoch of the phase, counted from 0."""
        self._epoch = epoch
        self._batches_done = 0
        self._step = 1
        self._pending: list[Batch] = []
        self._unchecked: tuple[Tensor, Tensor] | None = None

    def __call__(self, batch: Batch) -> StepResult:
        """Learn from one batch.

        Raises:
            TrainingError: The loss or its gradient is not finite, or memory is too small for two pictures.
        """
        set_rate_factor(self.optimizer, self.rate_factor(self._epoch + self._batches_done / self.batches_per_epoch))
        self._batches_done += 1
        self._pending.append(batch)
        is_last = len(self._pending) == self.accumulation_steps or self._batches_done == self.batches_per_epoch
        result = self._accumulate(batch, share_gradients=is_last)
        if is_last:
            self._update(result.loss_sum)
        return result

    def finish(self) -> None:
        """Check the last update."""
        self._check_finite()

    def _accumulate(self, batch: Batch, *, share_gradients: bool) -> StepResult:
        """Add the gradients of a batch, from now on in smaller parts if memory is too small."""
        to_do = [batch]
        while True:
            try:
                for each in to_do[:-1]:
                    self._learn(each, share_gradients=False)
                return self._learn(batch, share_gradients=share_gradients)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the except block, since the error keeps the tensors of the failed pass alive. That pass may have
            # changed the gradients, so all pending batches are computed again.
            self._make_parts_smaller(len(batch.targets))
            self.optimizer.zero_grad(set_to_none=True)
            to_do = self._pending

    def _learn(self, batch: Batch, *, share_gradients: bool) -> StepResult:
        inputs, labels = self.prepare(batch.images), batch.targets.to(self.runtime.device, non_blocking=True)
        targets = labels if self.blend_targets is None else self.blend_targets(labels, batch.rows)
        mixed, targets = (inputs, targets) if self.mixing is None else self.mixing(inputs, targets)
        # BatchNorm needs at least two pictures together.
        parts = min(self.parts, max(1, len(labels) // 2))
        chunks = list(zip(*(values.tensor_split(parts) for values in (mixed, targets, labels)), strict=True))
        results = []
        for place, chunk in enumerate(chunks):
            is_shared = share_gradients and place == len(chunks) - 1
            with nullcontext() if is_shared else self.runtime.processes.unsynchronized(self.network):
                results.append(self._backpropagate(*chunk))
        losses, corrects = zip(*results, strict=True)
        return StepResult(torch.stack(losses).sum(), torch.stack(corrects).sum(), len(labels))

    def _backpropagate(self, inputs: Tensor, targets: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the plain loss and the number of correct answers."""
        with self.runtime.autocast():
            logits = self.network(inputs)
        of_heads = logits.float() if logits.ndim == 3 else logits.float()[None]
        losses = torch.stack([self._sum_loss(one, targets) for one in of_heads])
        (losses.sum() / self._unit()).backward()  # type: ignore[no-untyped-call]
        logits = of_heads.detach().mean(dim=0)
        return functional.cross_entropy(logits, labels, reduction="sum"), (logits.argmax(dim=1) == labels).sum()

    def _sum_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        loss = self.loss(logits, targets)
        if loss.shape == (len(logits),):
            return loss.sum()
        if loss.ndim:
            raise TrainingError(
                f"the loss has shape {tuple(loss.shape)}; expected one number, the mean over the pictures, or one for "
                f"each of the {len(logits)} pictures"
            )
        return loss * len(logits)

    def _unit(self) -> int:
        """Return a first divisor of the losses, which makes the gradients of a single batch final.

        It is the same for all pending batches and in all processes.
        """
        return len(self._pending[0].targets) if self.runtime.processes.count == 1 else 1

    def _update(self, loss: Tensor) -> None:
        # Checked one update late, so that a GPU never waits.
        self._check_finite()
        processes = self.runtime.processes
        (images,) = processes.sum([sum(len(batch.targets) for batch in self._pending)])
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        # Gradients are already averaged over processes.
        left = images / processes.count / self._unit()
        if left != 1:
            torch._foreach_div_(gradients, left)
        norm = nn.utils.get_total_norm(gradients)
        self._unchecked = loss, norm
        if self.clip_norm:
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip_norm, norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.after_update is not None:
            self.after_update()
        self._pending = []
        self._step += 1

    def _check_finite(self) -> None:
        if self._unchecked is None:
            return
        loss, norm = torch.stack(self._unchecked).tolist()
        self._unchecked = None
        if not math.isfinite(loss + norm):
            name, value = ("norm of the gradient", norm) if math.isfinite(loss) else ("loss", loss)
            raise TrainingError(
                f"the {name} is {value} at step {self._step - 1} of epoch {self._epoch + 1} of the phase, "
                f"with learning rate {get_learning_rate(self.optimizer):.2e}. "
                "A lower learning rate, clip_norm=1 or run.precision=fp32 usually helps"
            )

    def _make_parts_smaller(self, images: int) -> None:
        processes = self.runtime.processes
        if processes.count > 1:
            raise TrainingError(
                f"process {processes.rank} has too little memory for {images} pictures at once, and the others need "
                "its gradients; halve training.batch_size and double training.accumulation_steps"
            )
        if images < 4 * self.parts:
            raise TrainingError(
                "memory is too small even for a few pictures at once; a smaller data.image_size or model.backbone "
                "needs less"
            )
        self.parts *= 2
        if self.runtime.device.type == "cuda":
            torch.cuda.empty_cache()
        logger.warning(
            "out of memory with %d pictures at once: continuing with %d; an update still uses as many as before",
            -(-images // (self.parts // 2)),
            -(-images // self.parts),
        )


def build_cross_entropy(*, class_weights: Tensor | None = None, label_smoothing: float = 0.0) -> Loss:
    """Return the cross-entropy of each picture.

    Args:
        class_weights: One weight per class (K,), on the device.
        label_smoothing: Share of the target that is spread evenly over all classes.
    """
    return partial(functional.cross_entropy, weight=class_weights, label_smoothing=label_smoothing, reduction="none")


def compute_class_weights(targets: Tensor, num_classes: int) -> Tensor:
    """Return one weight per class (K,), inverse to its frequency, with mean 1 over the pictures of `targets` (N,)."""
    counts = torch.bincount(targets, minlength=num_classes).clamp(min=1)
    return len(targets) / (num_classes * counts.float())
