"""The plan of a run: every value decided, no `auto` left, and the reasons for what the program chose."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from discern.config.settings import AugmentPolicy, HeadSolver, PhaseBase, TrainingBase
from discern.data.reading.preprocess import Preprocess
from discern.errors import RunFolderError
from discern.files import write_json
from discern.models.architecture import Architecture
from discern.runtime import Precision

PLAN_FORMAT = 1
OWN_WEIGHTS = "own"
"""Stands for the weights that a user's own network has."""
CUSTOM_AUGMENT = "custom"
"""Stands for an augmentation that the user gave as a callable."""

Value = TypeVar("Value")


def _refuse_auto(value: Value) -> Value:
    if value == "auto":
        raise ValueError("a plan holds decided values, never auto")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PhasePlan(PhaseBase):
    """One phase of training.

    `length` is the number of epochs over which the learning rate follows its schedule, under a time budget perhaps with
    a fraction; `epochs` is `length` rounded up, and `max_epochs` the most that a budget may lengthen it to. `views` is
    the number of views of each picture whose features are computed once; 0 if pictures are read in every epoch.
    """

    epochs: Annotated[int, Field(ge=1)]
    length: Annotated[float, Field(gt=0)]
    max_epochs: Annotated[int, Field(ge=1)]
    optimizer: Annotated[str, AfterValidator(_refuse_auto)]
    learning_rate: Annotated[float, Field(gt=0)]
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    frozen_batchnorm: bool
    augment: Annotated[AugmentPolicy, AfterValidator(_refuse_auto)]
    head_solver: HeadSolver
    views: Annotated[int, Field(ge=0)]
    picture_cache: Literal["memory", "disk", "off"]

    @property
    def is_augmented(self) -> bool:
        """Whether training pictures are changed at random."""
        return self.augment not in ("none", ())

    @property
    def sees_other_pictures(self) -> bool:
        """Whether the network learns from pictures that differ from those it predicts later."""
        return self.is_augmented or self.image_scale != 1


class TrainingPlan(TrainingBase):
    """What holds for all phases; `batch_size` counts the pictures of all processes together."""

    batch_size: Annotated[int, Field(ge=1)]


class ReadingPlan(_Part):
    """How pictures are read: `workers` is the number of loader processes per training process, `folder` the cache."""

    workers: int
    max_pixels: int
    folder: Path
    limit_gigabytes: float


class MachinePlan(_Part):
    """The machine: `device`, precision and threads of each process; `processes` is their number in the whole job."""

    device: str
    precision: Precision
    threads: int
    determinism: bool
    accelerates: bool
    processes: int


class BudgetPlan(_Part):
    """The time limit of the whole run, and the part of it that is reserved for what follows training."""

    seconds: float
    reserve_seconds: float


class Plan(_Part):
    """Everything that training needs to know.

    `weights` names published weights, a file, "none", or "own" for those of a user's own network. `custom` names the
    Python objects that the user gave (network, loss, metrics, augmentation), which a plan cannot hold. `reasons` says
    why each value was chosen, by the name of the setting.
    """

    format: int = PLAN_FORMAT
    recipe: str
    seed: int
    architecture: Architecture
    weights: Annotated[str, AfterValidator(_refuse_auto)]
    preprocess: Preprocess
    training: TrainingPlan
    phases: Annotated[tuple[PhasePlan, ...], Field(min_length=1)]
    reading: ReadingPlan
    machine: MachinePlan
    budget: BudgetPlan | None = None
    evaluates_test: bool = True
    draws_plots: bool = True
    writes_report: bool = True
    custom: dict[str, str] = {}
    reasons: dict[str, str] = {}


def save_plan(plan: Plan, path: Path) -> None:
    """Write plan.json."""
    write_json(path, plan.model_dump(mode="json"))


def load_plan(path: Path) -> Plan:
    """Read plan.json.

    Raises:
        RunFolderError: It is missing or damaged, or another version of the program wrote it.
    """
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{path} is damaged or of another version ({error}); start again with --overwrite"
        ) from None
