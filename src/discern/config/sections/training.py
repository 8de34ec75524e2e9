"""The section [training]: what holds for all phases, and the phases themselves."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from discern.config.sections.phase import PHASE_DEFAULTS, PhaseSettings
from discern.config.sections.section import Count, NotNegative, Section, UserPath, list_one
from discern.errors import install_command

Tta = Literal["none", "flip", "five"]
"""Of which views of a picture an answer is the mean; see `engine.views`."""


class TrainingBase(Section):
    """What holds for all phases of training."""

    max_images: Count | None = Field(
        None, description="train on a random sample of this many training pictures, stratified by class"
    )
    accumulation_steps: Count = Field(1, description="batches per optimizer step")
    monitor: Literal["validation_accuracy", "validation_loss"] = Field(
        "validation_accuracy",
        description="what the best epoch is chosen by; of equal accuracies, the one with the lower loss",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="share of the target that is spread evenly over all classes"
    )
    mixup: NotNegative = Field(0.0, description="alpha of mixup; 0 = off")
    cutmix: NotNegative = Field(
        0.0, description="alpha of cutmix; 0 = off; with mixup too, each batch uses one of the two"
    )
    balance: Literal["none", "weights", "sampler"] = Field(
        "none",
        description="correction for classes of unequal size: weights in the loss, or a sampler that draws "
        "all classes equally often",
    )
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="decay of the moving average of the weights; 0 = off"
    )
    clip_norm: NotNegative = Field(
        0.0, description="largest norm of the gradient; larger ones are scaled down; 0 = off"
    )
    sync_batchnorm: bool = Field(False, description="BatchNorm over the batches of all processes (GPUs only)")
    calibration: Literal["cross-validated", "temperature", "none"] = Field(
        "cross-validated",
        description="calibration of the confidences on the validation split; temperature: one factor for all logits; "
        "cross-validated: also a scale and a bias per class. Each only if cross-validation shows that it is better",
    )
    feature_bank: Annotated[int, Field(ge=0)] = Field(
        5000,
        description="number of training pictures whose features the bundle keeps, to find similar and unfamiliar ones",
    )
    trackers: Annotated[tuple[str, ...], BeforeValidator(list_one)] = Field(
        (),
        description="where the run is also kept: tensorboard, mlflow, wandb, or a registered tracker; each needs the "
        f"extra of its name, such as {install_command('mlflow')}",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_older_name(cls, raw: Any) -> Any:
        """Take the settings and plans of older versions, which have `tensorboard` in place of trackers."""
        if not isinstance(raw, dict) or "tensorboard" not in raw:
            return raw
        others = {key: value for key, value in raw.items() if key != "tensorboard"}
        return {"trackers": ("tensorboard",), **others} if raw["tensorboard"] is True else others


class TrainingSettings(TrainingBase):
    """How the network learns."""

    batch_size: Count | Literal["auto"] = Field(32, description="pictures per forward pass, in all processes together")
    tta: Tta | Literal["auto"] = Field(
        "none",
        description="test-time augmentation of the finished classifier, whose answers are means over views of a "
        "picture. flip: it and its mirror image; five: it and four shifted ones; auto: those that the validation split "
        "shows to be better, if any. Takes two or five times as long",
    )
    teacher: UserPath | None = Field(
        None,
        description="run folder or bundle of an earlier classifier, such as a larger one or an ensemble, whose "
        "probabilities the network learns beside the labels",
    )
    teacher_weight: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="share of the teacher's probabilities in what is learnt; the rest are the labels"
    )
    must_gain: bool | Literal["auto"] = Field(
        "auto",
        description="end training after a first phase of the head alone where the validation split could not show that "
        "a later phase is better, since too few of its pictures are wrong; and end a later phase that is clearly worse "
        "after two thirds of its epochs. auto: if the epochs of all later phases are auto",
    )
    phases: tuple[PhaseSettings, ...] = Field(
        (PhaseSettings(),), description="the phases, one after the other; none to train nothing (with model.load_head)"
    )

    @model_validator(mode="before")
    @classmethod
    def _copy_defaults_to_phases(cls, raw: Any) -> Any:
        """Move phase settings given in [training] into each phase that does not set its own."""
        if not isinstance(raw, dict):
            return raw
        shared = {key: raw[key] for key in raw if key in PHASE_DEFAULTS}
        own = {key: raw[key] for key in raw if key not in PHASE_DEFAULTS}
        phases = own.get("phases", [{}])
        if not isinstance(phases, list | tuple) or not all(isinstance(phase, dict) for phase in phases):
            raise ValueError("the plan is a list of phases; in TOML each begins with [[training.phases]]")
        if shared and not phases:
            raise ValueError(f"without phases nothing is trained, so {', '.join(shared)} has no effect; leave it out")
        own["phases"] = [{**shared, **phase} for phase in phases]
        return own
