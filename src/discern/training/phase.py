"""One phase of a plan while it is carried out."""

import math
from dataclasses import asdict
from functools import partial

from discern.config.settings import PhaseSettings, TrainingSettings
from discern.engine.mixing import build_mixing
from discern.engine.optimizers import build_optimizer
from discern.engine.schedules import Plateau
from discern.engine.train_step import TrainStep, compute_class_weights
from discern.models.acceleration.accelerate import accelerate_training
from discern.models.classifier import Classifier
from discern.runtime import Runtime
from discern.training.averaging import WeightAverage
from discern.training.batch_statistics import PlainSample, learns_other_statistics
from discern.training.batches import TrainingData
from discern.training.history import EpochRow
from discern.training.inputs import build_inputs
from discern.training.schedule_plan import compute_phase_factor
from discern.training.state import FrozenWeights, TrainingState
from discern.training.stopping import EarlyStopping


class RateFactor:
    """The factor on the learning rates at a moment of a phase.

    Apart from the phase, which would keep its features in memory after its end if it were part of its own step.
    """

    def __init__(self, settings: PhaseSettings, length: float) -> None:
        self.settings = settings
        self.length = length
        self.plateau = Plateau(settings.plateau_patience, settings.gamma)

    def __call__(self, epoch: float) -> float:
        """Return the factor at `epoch`, fractions of it included."""
        return compute_phase_factor(self.settings, epoch, length=self.length) * self.plateau.factor


class Phase:
    """What lives as long as one phase does."""

    def __init__(
        self,
        settings: PhaseSettings,
        training: TrainingSettings,
        classifier: Classifier,
        data: TrainingData,
        runtime: Runtime,
        *,
        phase_index: int,
        length: float,
        views: int | None = None,
    ) -> None:
        # "auto" has been settled by now; what is left of it would leave BatchNorm as it usually is.
        classifier.set_trainable(settings.train, frozen_batchnorm=settings.frozen_batchnorm is True)
        self.settings = settings
        self.inputs = build_inputs(settings, training, classifier, data, runtime, views=views)
        self.optimizer = build_optimizer(
            settings.optimizer,
            classifier,
            learning_rate=settings.top_rate,
            layer_decay=settings.block_decay,
            weight_decay=settings.weight_decay,
            momentum=settings.momentum,
        )
        self.rate_factor = RateFactor(settings, length)
        self.stopping = EarlyStopping(settings.patience, training.monitor)
        # What is solved at once has no way that an average could smooth.
        averages = training.ema_decay > 0 and settings.head_solver != "lbfgs"
        self.average = WeightAverage(classifier, training.ema_decay) if averages else None
        self.epochs_done = 0
        weights = None
        if training.balance == "weights":
            weights = compute_class_weights(data.train_targets(), data.num_classes).to(runtime.device)
        network = self.inputs.network_of(classifier)
        if runtime.accelerates:
            has_frozen_batchnorm = settings.frozen_batchnorm is True
            network = accelerate_training(
                network, frozen_batchnorm=has_frozen_batchnorm, device=runtime.device, dtype=runtime.dtype
            )
        self.step = TrainStep(
            runtime.processes.wrap(network),
            self.optimizer,
            self.inputs.prepare,
            runtime,
            rate_factor=self.rate_factor,
            batches_per_epoch=len(self.inputs.train),
            mixing=build_mixing(data.num_classes, mixup=training.mixup, cutmix=training.cutmix),
            class_weights=weights,
            label_smoothing=training.label_smoothing,
            accumulation_steps=training.accumulation_steps,
            clip_norm=training.clip_norm,
            after_update=None if self.average is None else partial(self.average.update, classifier),
        )
        self.frozen = _find_frozen(classifier, phase_index)
        self.judged = classifier if self.average is None else self.average.classifier
        is_augmented = learns_other_statistics(settings) and not self.inputs.views
        self._sample = PlainSample(data, self.inputs.prepare, runtime) if is_augmented else None
        self.judged_network = self.inputs.network_of(self.judged)

    def settle_batchnorm(self) -> None:
        """Give BatchNorms that learned statistics those of pictures as they are, before the network is judged."""
        if self._sample is not None:
            self._sample.estimate_statistics(self.judged)

    def observe(self, row: EpochRow) -> bool:
        """Take in an epoch; return whether no other would be of use."""
        self.epochs_done += 1
        if self.settings.schedule == "plateau" and row.has_validation:
            self.rate_factor.plateau.observe(row.validation_loss)
        is_solved = self.settings.head_solver == "lbfgs"
        return self.stopping.observe(row) or is_solved

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done."""
        return self.epochs_done >= self.settings.num_epochs

    @property
    def length(self) -> float:
        """The epochs after which the rate has come to its end; of the last one perhaps a part."""
        return self.rate_factor.length

    def set_length(self, length: float) -> None:
        """End after so many epochs in all, the last one perhaps in part, the rate moving accordingly from now on."""
        self.settings = self.settings.model_copy(update={"epochs": max(math.ceil(length), self.epochs_done, 1)})
        self.rate_factor.length = max(length, self.epochs_done, 1)

    def put_into(self, state: TrainingState) -> None:
        """Add to a state what this phase needs to go on."""
        state.put_optimizer(self.optimizer)
        if self.average is not None:
            state.put_tensors("average", self.average.state_dict())
        state.facts["phase"] = {
            "epochs_done": self.epochs_done,
            "length": self.length,
            "views": self.inputs.views,
            "plateau": asdict(self.rate_factor.plateau),
            "stopping": asdict(self.stopping),
        }

    def restore(self, state: TrainingState) -> None:
        """Go back to where the phase stood when the state was written."""
        facts = state.facts["phase"]
        state.restore_optimizer(self.optimizer)
        if self.average is not None:
            self.average.load_state_dict(state.get_tensors("average"))
        self.epochs_done = facts["epochs_done"]
        self.set_length(facts["length"])
        for name, value in facts["plateau"].items():
            setattr(self.rate_factor.plateau, name, value)
        best = facts["stopping"].pop("best")
        self.stopping = EarlyStopping(**facts["stopping"], best=None if best is None else tuple(best))


def _find_frozen(classifier: Classifier, phase_index: int) -> FrozenWeights | None:
    """Return parameters and statistics of the phases that do not train, which the best model so far has as well."""
    frozen = [names for phase, names in classifier.stages().items() if phase not in classifier.trainable_stages]
    prefixes = tuple(f"{name}." for names in frozen for name in names)
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in classifier.state_dict().items()
        if prefixes and f"{name}.".startswith(prefixes)
    }
    return FrozenWeights(phase_index, tensors) if tensors else None
