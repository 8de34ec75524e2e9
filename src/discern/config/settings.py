"""The typed settings of a run; every field says what it means."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from discern.config.duration import parse_duration
from discern.errors import ConfigError

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]

WEIGHTS_BY_NAME = ("none", "auto", "imagenet", "imagenet-v1", "imagenet-v2")


def _make_absolute(path: Path) -> Path:
    """Make a path mean the same from any working folder, since an interrupted run may be resumed from another."""
    return path.expanduser().absolute()


UserPath = Annotated[Path, AfterValidator(_make_absolute)]


def _check_duration(text: str) -> str:
    try:
        parse_duration(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


AugmentPolicy = str | tuple[dict[str, Any], ...]
HeadSolver = Literal["gradient", "lbfgs"]


def _find_weights(weights: str) -> str:
    path = Path(weights)
    if weights in WEIGHTS_BY_NAME:
        return weights
    if path.name == weights and not path.suffix and not path.exists():
        near = get_close_matches(weights, WEIGHTS_BY_NAME, n=1)
        advice = f"did you mean {near[0]}? Give" if near else "give"
        raise ValueError(
            f"no weights are called {weights!r}, and no file is; {advice} {', '.join(WEIGHTS_BY_NAME)}, or the path "
            "of a .safetensors, .pth or .pt file"
        )
    return str(_make_absolute(path))


def _refuse_no_weights(weights: str) -> str:
    if weights in ("none", "auto"):
        raise ValueError(
            f"{weights} names no weights; a candidate needs a file, or imagenet, imagenet-v1 or imagenet-v2"
        )
    return weights


def _make_tuple(parts: Any) -> Any:
    return (parts,) if isinstance(parts, str) and parts != "all" else parts


class Section(BaseModel):
    """A part of the settings: frozen, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False)


class RecipeSettings(Section):
    """What a recipe is for; read by people only."""

    name: str = "custom"
    purpose: str = ""
    time: str = ""
    expected: str = ""


class DataSettings(Section):
    """Where labels come from, how pictures are split, read and fitted."""

    image_column: str | None = Field(None, description="CSV column with the file names or ids; guessed when absent")
    label_column: str | None = Field(None, description="CSV column with the labels; guessed when absent")
    image_root: UserPath | None = Field(None, description="folder that file names in a CSV are relative to")
    image_suffix: str | None = Field(None, description="extension to add to ids, such as '.jpg'")
    split_column: str | None = Field(None, description="CSV column with train, validation or test")
    group_column: str | None = Field(None, description="CSV column; rows of one group stay on one side of the split")
    split: tuple[Fraction, Fraction, Fraction] = Field(
        (0.7, 0.15, 0.15), description="fractions for train, validation and test where the data are not split yet"
    )
    split_file: UserPath | None = Field(None, description="a split.csv of an earlier run, to use again")
    group_duplicates: bool = Field(True, description="pictures of the same photo stay on one side of the split")
    fixes: Annotated[tuple[UserPath, ...], BeforeValidator(_make_tuple)] = Field(
        (), description="fixes.csv of an audit or overrides.csv of a review: pictures left out, labelled anew, grouped"
    )
    audit: Literal["quick", "full", "off"] = Field(
        "quick", description="what is looked for in the pictures before training; full: label errors too"
    )
    image_size: Annotated[int, Field(ge=8, le=4096)] | Literal["auto"] = Field(
        "auto", description="side of the square that the network sees, in pixels"
    )
    fit: Literal["crop", "pad", "squash", "auto"] = Field(
        "squash", description="how a picture is made square; auto: crop or squash, by a linear probe of the data"
    )
    verify: Literal["header", "full"] = Field(
        "header",
        description="what is decoded of every file before training, where neither data.audit nor data.group_duplicates "
        "decodes all of it anyway; data.on_bad=skip always takes full",
    )
    on_bad: Literal["error", "skip"] = Field("error", description="stop at files that cannot be used, or drop them")
    max_pixels: Count = Field(100_000_000, description="a picture with more pixels is refused unread")
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field("auto", description="loader processes")
    cache: Literal["auto", "memory", "disk", "off"] = Field(
        "auto", description="where decoded pictures are kept between epochs"
    )

    @model_validator(mode="after")
    def _check_fractions(self) -> Self:
        if abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError("the fractions for train, validation and test must add up to 1, with train above 0")
        return self


class CandidateSettings(Section):
    """A network and weights that a run may start from."""

    backbone: str
    weights: Annotated[str, AfterValidator(_find_weights), AfterValidator(_refuse_no_weights)]


class ModelSettings(Section):
    """The network: backbone, its weights, and the head."""

    backbone: str = Field("resnet50", description="resnet18 ... resnet152, resnet18-half, or timm:NAME")
    weights: Annotated[str, AfterValidator(_find_weights)] = Field(
        "imagenet",
        description="imagenet, imagenet-v1, imagenet-v2, none, or a path to .safetensors or .pth; auto: of the "
        "published ones that are here, those that a linear probe of the data does best with; the newest, downloaded, "
        "where none are here",
    )
    candidates: tuple[CandidateSettings, ...] = Field(
        (), description="other networks and weights to start from, if a linear probe of the data does better with them"
    )
    stem: Literal["auto", "imagenet", "small"] = Field("auto", description="'small' suits pictures of 32 to 64 pixels")
    head: str = Field("linear", description="one layer, or an mlp with hidden ones")
    hidden_features: tuple[Count, ...] = Field((512,), description="widths of the hidden layers of the mlp head")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="before a linear head, inside an mlp head")
    stochastic_depth: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="drop rate of the deepest block")
    zero_init_residual: bool = Field(False, description="start each residual branch at zero (from scratch only)")


class PhaseBase(Section):
    """What a phase of a training plan is told and what is planned for it alike."""

    name: str = Field("all", description="by which it is called in overrides, logs and tables")
    train: Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(_make_tuple)] = Field(
        "all", description="stages of the network that learn: stem, layer1 ... head"
    )
    weight_decay: NotNegative = Field(0.0, description="not applied to norms and biases")
    momentum: Fraction = Field(0.9, description="for sgd and muon")
    schedule: str = Field(
        "constant",
        description="how the learning rate moves within the phase: constant, step, cosine, one-cycle, plateau, or a "
        "registered one",
    )
    warmup_epochs: NotNegative = Field(0.0, description="linear rise at the start (not for one-cycle)")
    step_epochs: Count = Field(5, description="for step: epochs between two drops")
    gamma: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="for step and plateau: factor of a drop")
    plateau_patience: Annotated[int, Field(ge=0)] = Field(2, description="epochs without a better validation loss")
    patience: Annotated[int, Field(ge=0)] = Field(0, description="early stopping after so many epochs; 0 = never")
    image_scale: Annotated[float, Field(ge=0.25, le=1)] = Field(
        1.0, description="side of the training pictures as a share of data.image_size, which validation always has"
    )


class PhaseSettings(PhaseBase):
    """One phase of the training plan; any of these except name and train may be given once for all in [training]."""

    epochs: Count | Literal["auto"] = Field(10, description="auto: as many as suit the number of training pictures")
    optimizer: str = Field(
        "adamw",
        description="sgd, adam, adamw, muon (learns most an epoch from scratch, but its steps take longer), or a "
        "registered one; auto: by weights",
    )
    learning_rate: Positive | Literal["auto"] = Field(
        1e-3, description="of the topmost part that learns; auto: by weights and data"
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = Field(
        1.0, description="rate of each block = this times the rate of the block above it; auto: by weights"
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
        description="lbfgs: the exact solution for a linear head alone, its regularisation by validation or, where "
        "that is small, cross-validated; auto: where that is possible and quick",
    )


PHASE_DEFAULTS = frozenset(PhaseSettings.model_fields) - {"name", "train"}


class TrainingBase(Section):
    """What holds for all phases of a training plan."""

    max_images: Count | None = Field(
        None, description="train on a sample of so many training pictures, each class with its share"
    )
    accumulation_steps: Count = Field(1, description="forward passes an optimizer step")
    monitor: Literal["validation_accuracy", "validation_loss"] = Field(
        "validation_accuracy", description="what the best epoch is chosen by; ties of accuracy go to the lower loss"
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="share of the target that all classes divide evenly"
    )
    mixup: NotNegative = Field(0.0, description="alpha of mixup; 0 = off")
    cutmix: NotNegative = Field(0.0, description="alpha of cutmix; 0 = off; with mixup too, a batch takes one of them")
    balance: Literal["none", "weights", "sampler"] = Field("none", description="what is done about unequal classes")
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="average of weights; 0 = off")
    clip_norm: NotNegative = Field(0.0, description="largest gradient norm; 0 = off")
    sync_batchnorm: bool = Field(False, description="BatchNorm over the batches of all processes (GPUs only)")
    calibration: Literal["auto", "temperature", "none"] = Field(
        "auto",
        description="what makes confidences mean what they say, fitted on the validation split: temperature, and with "
        "auto also a scale and a bias for each class where that pays",
    )
    feature_bank: Annotated[int, Field(ge=0)] = Field(
        5000, description="training pictures whose features the bundle keeps, to find similar and unfamiliar pictures"
    )
    tensorboard: bool = Field(False, description="also write TensorBoard events (needs discern[tensorboard])")


class TrainingSettings(TrainingBase):
    """How the network learns."""

    batch_size: Count | Literal["auto"] = Field(32, description="pictures a forward pass, in all processes together")
    phases: tuple[PhaseSettings, ...] = (PhaseSettings(),)

    @model_validator(mode="before")
    @classmethod
    def _hand_defaults_to_phases(cls, raw: Any) -> Any:
        """Move phase settings that stand in [training] into each phase that does not set its own."""
        if not isinstance(raw, dict):
            return raw
        shared = {key: raw[key] for key in raw if key in PHASE_DEFAULTS}
        own = {key: raw[key] for key in raw if key not in PHASE_DEFAULTS}
        phases = own.get("phases") or [{}]
        if not isinstance(phases, list | tuple) or not all(isinstance(phase, dict) for phase in phases):
            raise ValueError("the plan is a list of phases; in TOML each begins with [[training.phases]]")
        own["phases"] = [{**shared, **phase} for phase in phases]
        return own


class CacheSettings(Section):
    """What is computed once and kept: features of frozen layers, decoded pictures."""

    features: Literal["auto", "off"] = Field("auto", description="compute what is frozen once instead of every epoch")
    views: Count | Literal["auto"] = Field(
        "auto",
        description="augmented views a picture in place of one an epoch, where frozen; 1 = not augmented; auto: one "
        "for every 8 epochs where the head alone learns, else one for every 3",
    )
    folder: UserPath | None = Field(None, description="where the cache lies; DISCERN_HOME/cache by default")
    limit_gigabytes: Positive = Field(20.0, description="size of the folder; what was used longest ago goes first")


class RunSettings(Section):
    """The machine, the seed, the time, and what is written."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="of the split, of weights from scratch and of every random change"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 or mps")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the processor has instructions for it"
    )
    threads: Count | Literal["auto"] = Field("auto", description="auto: one for each core that the process may use")
    budget: Annotated[str, AfterValidator(_check_duration)] | None = Field(
        None, description="time for the whole run, such as 10m: the plan is made, and changed on the way, to keep it"
    )
    evaluate_test: bool = Field(True, description="evaluate the test split at the end; false leaves it for later")
    plots: bool = Field(True, description="draw the plots of training and evaluation")
    report: bool = Field(True, description="write report.html")
    acceleration: Literal["auto", "off"] = Field(
        "auto", description="auto: networks are transformed to give the same results in less time; off: plain PyTorch"
    )
    determinism: bool = Field(False, description="only deterministic algorithms: the same run gives the same bits")


class Settings(Section):
    """All settings of a run."""

    recipe: RecipeSettings = RecipeSettings()
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    cache: CacheSettings = CacheSettings()
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _check_stage_names(self) -> Self:
        names = [phase.name for phase in self.training.phases]
        if len(set(names)) < len(names):
            raise ValueError(f"the phases of the training plan need different names; these are {', '.join(names)}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain values as TOML and JSON know them; settings that are absent are left out."""
        return self.model_dump(mode="json", exclude_none=True)
