"""One phase of training: its optimizer, step, inputs and stopping rule."""

import math
from functools import partial

from discern.engine.batch_statistics import estimate_statistics
from discern.engine.mixing import build_mixing
from discern.engine.optimizers import build_optimizer
from discern.engine.schedules import Plateau, compute_rate_factor
from discern.engine.train_step import Loss, TrainStep, build_cross_entropy, compute_class_weights, prepare_network
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from discern.models.paired_heads import PairedHeads
from discern.planning.plan import PhasePlan, TrainingPlan
from discern.runtime import Runtime
from discern.training.averaging import MeanWithInitial, WeightAverage
from discern.training.batches import TrainingData
from discern.training.history import EpochRow
from discern.training.inputs import build_inputs
from discern.training.state import FrozenWeights, PhaseState, TrainingState
from discern.training.stopping import EarlyStopping
from discern.training.taught_targets import TaughtTargets


class RateFactor:
    """The factor on the learning rates as a function of the epoch within a phase.

    Separate from `Phase`, since a step that refers to its phase would keep the features in memory after the phase.
    """

    def __init__(self, plan: PhasePlan) -> None:
        self.plan = plan
        self.length = plan.length
        self.plateau = Plateau(plan.plateau_patience, plan.gamma)

    def __call__(self, epoch: float) -> float:
        """Return the factor at `epoch`, counted from 0 with fractions."""
        return compute_rate_factor(epoch, self.length, self.plan) * self.plateau.factor


class Phase:
    """Everything that is built for one phase and needed until its end.

    Args:
        plan: The plan of the phase.
        training: What holds for all phases.
        classifier: On the device; stages that the phase does not train become frozen.
        data: The pictures.
        runtime: Device, precision and processes.
        index: Index of the phase in the plan.
        loss: The user's own; by default cross-entropy as in the plan.
        views: Of an interrupted run; as planned by default.
    """

    def __init__(
        self,
        plan: PhasePlan,
        training: TrainingPlan,
        classifier: Classifier,
        data: TrainingData,
        runtime: Runtime,
        *,
        index: int,
        loss: Loss | None = None,
        views: int | None = None,
    ) -> None:
        classifier.set_trainable(plan.train, frozen_batchnorm=plan.frozen_batchnorm)
        self.plan = plan
        self.classifier = classifier
        self.inputs = build_inputs(plan, classifier, data, runtime, views=views)
        self.paired = _pair_heads(plan, classifier)
        learner = classifier if self.paired is None else _build_learner(plan, classifier, self.paired)
        self.optimizer = build_optimizer(
            plan.optimizer,
            learner,
            learning_rate=plan.learning_rate,
            layer_decay=plan.layer_decay,
            proportional_rates=plan.proportional_rates,
            weight_decay=plan.weight_decay,
            momentum=plan.momentum,
        )
        self.rate_factor = RateFactor(plan)
        self.stopping = EarlyStopping(plan.patience, training.monitor)
        # An exact solution has no steps to average, and owes nothing to the weights before it.
        takes_steps = plan.head_solver != "lbfgs"
        self.average = WeightAverage(classifier, training.ema_decay) if training.ema_decay > 0 and takes_steps else None
        self.mean = MeanWithInitial(classifier, plan.initial_share) if plan.initial_share and takes_steps else None
        self.epochs_done = 0
        self.step = TrainStep(
            runtime.processes.wrap(
                prepare_network(
                    self.inputs.network_of(learner), frozen_batchnorm=plan.frozen_batchnorm, runtime=runtime
                )
            ),
            self.optimizer,
            self.inputs.prepare,
            runtime,
            rate_factor=self.rate_factor,
            batches_per_epoch=len(self.inputs.train),
            mixing=build_mixing(data.num_classes, mixup=training.mixup, cutmix=training.cutmix),
            blend_targets=_build_blend(training, data),
            loss=loss or _build_loss(training, data, runtime),
            accumulation_steps=training.accumulation_steps,
            clip_norm=training.clip_norm,
            after_update=partial(_follow, classifier, self.paired, self.average),
        )
        self.frozen = _find_frozen(classifier, index)
        self.trained = classifier if self.average is None else self.average.classifier
        self.evaluated = self.trained if self.mean is None else self.mean.classifier
        self.evaluated_network = self.inputs.network_of(self.evaluated)
        self._runtime = runtime
        learns_otherwise = plan.sees_other_pictures or self.mean is not None
        estimates = learns_otherwise and not plan.frozen_batchnorm and not self.inputs.views
        self._statistics_sample = data.read_statistics_sample() if estimates else None

    def prepare_evaluation(self) -> None:
        """Bring the network that is evaluated up to date.

        BatchNorm statistics that are not frozen are estimated from pictures without augmentation.
        """
        if self.mean is not None:
            self.mean.update(self.trained)
        if self._statistics_sample is not None:
            estimate_statistics(self.evaluated, self._statistics_sample, self.inputs.prepare, self._runtime)

    def observe(self, row: EpochRow) -> bool:
        """Record an epoch; return whether the phase should end early."""
        self.epochs_done += 1
        if self.plan.schedule == "plateau" and row.has_validation:
            self.rate_factor.plateau.observe(row.validation_loss)
        is_solved = self.plan.head_solver == "lbfgs"
        return self.stopping.observe(row) or is_solved

    @property
    def keeps_last(self) -> bool:
        """Whether its last epoch alone may be kept; without validation scores that is so in any case."""
        return self.plan.keep == "last" and self.inputs.validation is not None

    @property
    def is_complete(self) -> bool:
        """Whether all epochs are done."""
        return self.epochs_done >= self.plan.epochs

    @property
    def length(self) -> float:
        """The epochs, with a fraction under a time budget, over which the rate follows its schedule."""
        return self.rate_factor.length

    def set_length(self, length: float) -> None:
        """End after `length` epochs in total, perhaps with a fraction, and fit the schedule of the rate to that."""
        self.plan = self.plan.model_copy(update={"epochs": max(math.ceil(length), self.epochs_done, 1)})
        self.rate_factor.length = max(length, self.epochs_done, 1)

    def put_into(self, state: TrainingState) -> None:
        """Add to a state what is needed to resume this phase."""
        state.put_optimizer(self.optimizer)
        if self.average is not None:
            state.put_tensors("average", self.average.state_dict())
        if self.mean is not None:
            state.put_tensors("initial", self.mean.state_dict())
        if self.paired is not None:
            state.put_tensors("paired_heads", self.paired.state_dict())
        state.progress.phase = PhaseState(
            epochs_done=self.epochs_done,
            length=self.length,
            views=self.inputs.views,
            plateau=self.rate_factor.plateau,
            stopping=self.stopping,
        )

    def restore(self, state: TrainingState, progress: PhaseState) -> None:
        """Restore the phase as it was when the state was saved."""
        state.restore_optimizer(self.optimizer)
        if self.average is not None:
            self.average.load_state_dict(state.get_tensors("average"))
        if self.mean is not None:
            self.mean.load_state_dict(state.get_tensors("initial"))
        if self.paired is not None:
            self.paired.load_state_dict(state.get_tensors("paired_heads"))
        self.epochs_done = progress.epochs_done
        self.set_length(progress.length)
        self.rate_factor.plateau = progress.plateau
        self.stopping = progress.stopping


def _pair_heads(plan: PhasePlan, classifier: Classifier) -> PairedHeads | None:
    if not plan.paired_heads or not isinstance(classifier.head, LinearHead):
        return None
    return PairedHeads(classifier.head, classifier.backbone.num_last_features)


def _build_learner(plan: PhasePlan, classifier: Classifier, paired: PairedHeads) -> Classifier:
    """Return the classifier that is trained instead: with the same backbone, and paired heads."""
    learner = Classifier(classifier.backbone, paired)
    learner.set_trainable(plan.train, frozen_batchnorm=plan.frozen_batchnorm)
    return learner


def _follow(classifier: Classifier, paired: PairedHeads | None, average: WeightAverage | None) -> None:
    """After an update, let the classifier's head be the mean of paired heads, and an average of weights follow."""
    if paired is not None and isinstance(classifier.head, LinearHead):
        paired.write_mean(classifier.head)
    if average is not None:
        average.update(classifier)


def _build_loss(training: TrainingPlan, data: TrainingData, runtime: Runtime) -> Loss:
    weights = None
    if training.balance == "weights":
        weights = compute_class_weights(data.train_targets(), data.num_classes).to(runtime.device)
    return build_cross_entropy(class_weights=weights, label_smoothing=training.label_smoothing)


def _build_blend(training: TrainingPlan, data: TrainingData) -> TaughtTargets | None:
    if training.teacher is None or data.teacher_probabilities is None:
        return None
    return TaughtTargets(data.teacher_probabilities, training.teacher.weight)


def _find_frozen(classifier: Classifier, index: int) -> FrozenWeights | None:
    """Return parameters and statistics of the frozen parts, which are the same in the best model so far."""
    frozen = [names for part, names in classifier.parts().items() if part not in classifier.trainable_parts]
    prefixes = tuple(f"{name}." for names in frozen for name in names)
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in classifier.state_dict().items()
        if prefixes and f"{name}.".startswith(prefixes)
    }
    return FrozenWeights(index, tensors) if tensors else None
