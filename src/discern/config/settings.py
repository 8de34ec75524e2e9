"""The typed settings of a run, each with a description."""

import json
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from discern.config.duration import parse_duration
from discern.errors import ConfigError, install_command

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Channels = tuple[Fraction, Fraction, Fraction]
Deviations = tuple[Positive, Positive, Positive]

WEIGHTS_BY_NAME = ("none", "auto", "imagenet", "imagenet-v1", "imagenet-v2")


def _make_absolute(path: Path) -> Path:
    """Make a path absolute, since an interrupted run may be resumed from another working folder."""
    return path.expanduser().absolute()


UserPath = Annotated[Path, AfterValidator(_make_absolute)]


def _check_duration(text: str) -> str:
    try:
        parse_duration(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


def _check_label_pattern(text: str) -> str:
    try:
        groups = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    if "label" not in groups or not groups.keys() <= {"label", "group"}:
        raise ValueError(
            f"{text!r} has {', '.join(groups) or 'no named groups'}; expected (?P<label>...), which is the label, and "
            "perhaps (?P<group>...)"
        )
    return text


def _check_folds(count: int) -> int:
    if count < 2:
        raise ValueError(
            f"{count} {'fold leaves' if count == 1 else 'folds leave'} nothing to train on; give 2 or more, usually 5, "
            "or leave it out"
        )
    return count


AugmentPolicy = str | tuple[dict[str, Any], ...]
HeadSolver = Literal["gradient", "lbfgs"]
Tta = Literal["none", "flip", "five"]
"""Of which views of a picture an answer is the mean; see `engine.views`."""


def _find_weights(weights: str) -> str:
    path = Path(weights)
    if weights in WEIGHTS_BY_NAME:
        return weights
    if path.name == weights and not path.suffix and not path.exists():
        near = get_close_matches(weights, WEIGHTS_BY_NAME, n=1)
        advice = f"did you mean {near[0]}? Give" if near else "give"
        raise ValueError(
            f"there are no weights and no file named {weights!r}; {advice} {', '.join(WEIGHTS_BY_NAME)}, or the path "
            "of a .safetensors, .pth or .pt file"
        )
    return str(_make_absolute(path))


def _refuse_no_weights(weights: str) -> str:
    if weights in ("none", "auto"):
        raise ValueError(
            f"{weights} names no weights; a candidate needs a file, or imagenet, imagenet-v1 or imagenet-v2"
        )
    return weights


def _read_class_names(names: Any) -> Any:
    """Return names as they are, or those of a file: a run keeps the names, not the file."""
    if not isinstance(names, str | Path):
        return names
    path = Path(names).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
        listed = json.loads(text) if path.suffix == ".json" else [line.strip() for line in text.splitlines()]
    except (OSError, ValueError) as error:
        raise ValueError(
            f'the names cannot be read from {names!r} ({error}); give a list such as ["ant", "bee"], or the path of a '
            "file with one name a line"
        ) from None
    return listed.get("class_names", listed) if isinstance(listed, dict) else [name for name in listed if name]


def _make_tuple(parts: Any) -> Any:
    return (parts,) if isinstance(parts, str) and parts != "all" else parts


class Section(BaseModel):
    """A part of the settings: frozen, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False)


class RecipeSettings(Section):
    """What a recipe is for; information for people, without effect on the run."""

    name: str = "custom"
    purpose: str = ""
    time: str = ""
    expected: str = ""


class DataSettings(Section):
    """Where labels come from, and how pictures are split, read and resized."""

    image_column: str | None = Field(None, description="CSV column with the file names or ids; guessed if not given")
    label_column: str | None = Field(None, description="CSV column with the labels; guessed if not given")
    label_pattern: Annotated[str, AfterValidator(_check_label_pattern)] | None = Field(
        None,
        description="regular expression for the names of pictures, without extension, that finds their labels: "
        r"'(?P<label>.+)_\d+' in red_1.png, '(?P<label>[^/]+)/.+' in red/1.png; (?P<group>...) finds groups",
    )
    image_root: UserPath | None = Field(None, description="folder or archive that file names in a CSV are relative to")
    image_suffix: str | None = Field(None, description="extension to add to ids, such as '.jpg'")
    split_column: str | None = Field(
        None,
        description="CSV column with words for train, validation and test, or yes and no (is_test); found by what it "
        "holds if not given; none: no column says it",
    )
    group_column: str | None = Field(None, description="CSV column of groups; all rows of a group go to the same split")
    split: tuple[Fraction, Fraction, Fraction] = Field(
        (0.7, 0.15, 0.15), description="fractions for train, validation and test, used if the data are not split yet"
    )
    split_file: UserPath | None = Field(None, description="split.csv of an earlier run, whose split is used again")
    group_duplicates: bool = Field(True, description="all copies of a photo go to the same split")
    fixes: Annotated[tuple[UserPath, ...], BeforeValidator(_make_tuple)] = Field(
        (), description="fixes.csv of an audit or overrides.csv of a review: pictures to drop, relabel or group"
    )
    audit: Literal["quick", "full", "off"] = Field(
        "quick", description="problems to look for in the pictures before training; full: label errors too"
    )
    image_size: Annotated[int, Field(ge=8, le=4096)] | Literal["auto"] = Field(
        "auto", description="side of the square that the network sees, in pixels"
    )
    fit: Literal["crop", "pad", "squash", "auto"] = Field(
        "squash",
        description="how a picture is made square; auto: crop or squash, whichever is better in a linear probe",
    )
    mean: Channels | None = Field(
        None, description="mean of red, green and blue (0 to 1) that pictures are normalised with; the backbone's own"
    )
    std: Deviations | None = Field(None, description="standard deviation of red, green and blue (0 to 1), likewise")
    verify: Literal["header", "full"] = Field(
        "header",
        description="how much of every file is decoded before training; data.audit, data.group_duplicates and "
        "data.on_bad=skip need the full file in any case",
    )
    on_bad: Literal["error", "skip"] = Field(
        "error", description="error: stop if files cannot be used; skip: leave them out"
    )
    depth_range: tuple[float, float] | Literal["measured"] | None = Field(
        None,
        description="values that become black and white in pictures of more than 8 bits, such as [0, 4095]; measured: "
        "those that the pictures use; without it [0, 65535] for whole numbers",
    )
    missing_labels: Literal["refuse", "drop", "keep"] = Field(
        "refuse",
        description="refuse: stop if pictures have no label; drop: leave them out; keep: the text nan in a table is a "
        "class, and others without a label stop",
    )
    max_pixels: Count = Field(100_000_000, description="larger pictures are refused without being decoded")
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field("auto", description="loader processes")
    cache: Literal["auto", "memory", "disk", "off"] = Field(
        "auto", description="where decoded pictures are kept between epochs"
    )

    @model_validator(mode="after")
    def _check_fractions(self) -> Self:
        if self.label_column is not None and self.label_pattern is not None:
            raise ValueError("label_column and label_pattern both say what the label is; set one of them")
        if isinstance(self.depth_range, tuple) and not self.depth_range[0] < self.depth_range[1]:
            raise ValueError("depth_range must be two numbers, the lower one first")
        if abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError("the fractions for train, validation and test must add up to 1, with train above 0")
        return self


class CandidateSettings(Section):
    """A network and weights that a run may start from."""

    backbone: str
    weights: Annotated[str, AfterValidator(_find_weights), AfterValidator(_refuse_no_weights)]


class ModelSettings(Section):
    """The network: backbone, its weights, and the head."""

    backbone: str = Field(
        "resnet50",
        description="resnet18 ... resnet152, resnet18-half, or timm:NAME; auto: with model.weights=auto the network on "
        "this machine with the best linear probe, otherwise and if there is none resnet50",
    )
    weights: Annotated[str, AfterValidator(_find_weights)] = Field(
        "imagenet",
        description="imagenet, imagenet-v1, imagenet-v2, none, or a path to .safetensors or .pth; auto: of the "
        "weights on this machine, those with the best linear probe; if there are none, the newest are downloaded",
    )
    candidates: tuple[CandidateSettings, ...] = Field(
        (), description="other networks and weights to compare by a linear probe; the run starts from the best"
    )
    load_head: bool = Field(
        False, description="take the head of the weights too, for a whole classifier that was trained elsewhere"
    )
    class_names: Annotated[tuple[str, ...], BeforeValidator(_read_class_names)] = Field(
        (),
        description="for load_head: the class of each output of that head, in order; or a file with one name a line, "
        "or a .json file with a list",
    )
    stem: Literal["auto", "imagenet", "small"] = Field("auto", description="'small' suits pictures of 32 to 64 pixels")
    features: Literal["auto", "last", "stages"] = Field(
        "last",
        description="what the head reads. last: the pooled last feature map; stages: also mean and deviation of each "
        "channel of the upper stages' maps; auto: stages for a pretrained convolutional network",
    )
    head: str = Field("linear", description="linear: one layer; mlp: hidden layers before it; or a registered head")
    hidden_features: tuple[Count, ...] = Field((512,), description="widths of the hidden layers of the mlp head")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="dropout rate, before a linear head or inside an mlp head"
    )
    stochastic_depth: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="stochastic depth: drop rate of the deepest block"
    )
    zero_init_residual: bool = Field(False, description="start each residual branch at zero (from scratch only)")


class PhaseBase(Section):
    """What the settings of a phase and its plan have in common."""

    name: str = Field("all", description="name of the phase in overrides, logs and tables")
    train: Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(_make_tuple)] = Field(
        "all",
        description="stages of the network that are trained: stem, layer1 ... head, or all; or single blocks, such as "
        "layer4.2 of a ResNet or blocks.11 of a vision transformer",
    )
    weight_decay: NotNegative = Field(0.0, description="weight decay; norms and biases have none")
    momentum: Fraction = Field(0.9, description="momentum of sgd and muon")
    schedule: str = Field(
        "constant",
        description="how the learning rate changes within the phase: constant, step, cosine, one-cycle, plateau, or a "
        "registered one",
    )
    warmup_epochs: NotNegative = Field(0.0, description="epochs of linear rise at the start (not for one-cycle)")
    step_epochs: Count = Field(5, description="for step: epochs between two drops")
    gamma: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="for step and plateau: factor by which the rate drops"
    )
    plateau_patience: Annotated[int, Field(ge=0)] = Field(
        2, description="for plateau: epochs without a better validation loss before a drop"
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        0, description="early stopping: epochs without improvement before the phase ends; 0 = never"
    )
    image_scale: Annotated[float, Field(ge=0.25, le=1)] = Field(
        1.0, description="side of training pictures as a fraction of data.image_size; validation uses the full size"
    )


class PhaseSettings(PhaseBase):
    """One phase of training. All settings except name and train may also be given in [training], for all phases."""

    epochs: Count | Literal["auto"] = Field(10, description="auto: by weights and number of training pictures")
    optimizer: str = Field(
        "adamw",
        description="sgd, adam, adamw, muon (learns the most per epoch from scratch, but its steps take longer), or a "
        "registered one; auto: by weights",
    )
    learning_rate: Positive | Literal["auto"] = Field(
        1e-3, description="learning rate of the topmost trainable part; auto: by weights and data"
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = Field(
        1.0, description="learning rate of each block divided by that of the block above it; auto: by weights"
    )
    frozen_batchnorm: bool | Literal["auto"] = Field(
        False, description="keep all BatchNorm statistics as they are; auto: if pretrained and batches are small"
    )
    augment: AugmentPolicy = Field(
        "light",
        description="none, shift, flip-rotate, light, standard or a list of transforms; auto: by epochs, weights, size",
    )
    head_solver: HeadSolver | Literal["auto"] = Field(
        "gradient",
        description="gradient: step by step; lbfgs: the exact solution for a linear head alone, with regularisation "
        "chosen on the validation split or, if that is small, by cross-validation; auto: lbfgs if possible and quick",
    )


PHASE_DEFAULTS = frozenset(PhaseSettings.model_fields) - {"name", "train"}


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
    trackers: Annotated[tuple[str, ...], BeforeValidator(_make_tuple)] = Field(
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


class CacheSettings(Section):
    """What is computed once and kept: features of frozen layers, decoded pictures."""

    features: Literal["auto", "off"] = Field(
        "auto", description="auto: compute the features of frozen layers once instead of in every epoch"
    )
    views: Count | Literal["auto"] = Field(
        "auto",
        description="augmented views per picture whose features are computed once, in place of a new view in every "
        "epoch; 1 = no augmentation; auto: 5 for a head alone, else one for every 3 epochs and at least 3",
    )
    folder: UserPath | None = Field(None, description="folder of the cache; DISCERN_HOME/cache by default")
    limit_gigabytes: Positive = Field(
        20.0, description="largest size of the folder; what was used longest ago is removed first"
    )


class RunSettings(Section):
    """The machine, the seed, the time, and what is written."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="seed of the split and of all random choices in training"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 or mps")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the processor has instructions for it"
    )
    threads: Count | Literal["auto"] = Field("auto", description="auto: one per core that the process may use")
    budget: Annotated[str, AfterValidator(_check_duration)] | None = Field(
        None,
        description="time limit for the whole run, such as 10m; the plan is made to fit, and corrected during training",
    )
    folds: Annotated[int, AfterValidator(_check_folds)] | None = Field(
        None,
        description="train so many networks, each without another part of the pictures, and use all of them together",
    )
    evaluate_test: bool = Field(True, description="evaluate on the test split at the end; false: leave that for later")
    plots: bool = Field(True, description="draw the plots of training and evaluation")
    report: bool = Field(True, description="write report.html")
    acceleration: Literal["auto", "off"] = Field(
        "auto",
        description="auto: transform networks so that they give the same results in less time; off: plain PyTorch",
    )
    determinism: bool = Field(
        False, description="use only deterministic algorithms, so that the same run gives bit-equal results"
    )


class Settings(Section):
    """All settings of a run."""

    recipe: RecipeSettings = RecipeSettings()
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    cache: CacheSettings = CacheSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _check_phase_names(self) -> Self:
        names = [phase.name for phase in self.training.phases]
        if len(set(names)) < len(names):
            raise ValueError(f"the phases of the training plan need different names; these are {', '.join(names)}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for TOML and JSON; settings that are None are left out."""
        return self.model_dump(mode="json", exclude_none=True)
