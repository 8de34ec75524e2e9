"""The plan of a run: every value decided, no `auto` left, and the reasons for what the program chose."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from discern.config.sections.phase import AugmentPolicy, HeadSolver, Keep, PhaseBase
from discern.config.sections.section import Fraction
from discern.config.sections.training import TrainingBase, Tta
from discern.data.reading.preprocess import Preprocess
from discern.errors import OVERWRITE, RunFolderError, one_line
from discern.evaluation.intervals import SavedInterval
from discern.files import compute_sha256, read_json, write_json
from discern.models.architecture import Architecture
from discern.runtime import Precision

PLAN_FORMAT = 2
UNSIGNED_FORMAT = 1
"""Of plans without a checksum."""
_SEALED, _CHECKSUM = "sealed", "checksum"
OWN_WEIGHTS = "own"
"""Stands for the weights that a user's own network has."""
CUSTOM_AUGMENT = "custom"
"""Stands for an augmentation that the user gave as a callable."""
NO_AUGMENT: tuple[AugmentPolicy, ...] = ("none", ())

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
    proportional_rates: bool = False
    paired_heads: bool = False
    initial_share: Fraction = 0.0
    keep: Keep = "best"
    frozen_batchnorm: bool
    augment: Annotated[AugmentPolicy, AfterValidator(_refuse_auto)]
    head_solver: HeadSolver
    views: Annotated[int, Field(ge=0)]
    picture_cache: Literal["memory", "disk", "off"]

    @property
    def is_augmented(self) -> bool:
        """Whether training pictures are changed at random."""
        return self.augment not in NO_AUGMENT

    @property
    def sees_other_pictures(self) -> bool:
        """Whether the network learns from pictures that differ from those it predicts later."""
        return self.is_augmented or self.image_scale != 1


class TeacherPlan(_Part):
    """A classifier whose probabilities are learnt beside the labels.

    `checksum` is that of its description, which has those of its weights; `weight` (0..1) is the share of its
    probabilities in what is learnt.
    """

    root: Path
    checksum: str
    weight: float


class TrainingPlan(TrainingBase):
    """What holds for all phases; `batch_size` counts the pictures of all processes together.

    The trained classifier answers with the views of the first of `tta_candidates`, unless the validation split shows
    that a later one is better. `must_gain` ends training after the baseline where no later phase could be shown to be
    better. `teacher` is None where only the labels are learnt.
    """

    batch_size: Annotated[int, Field(ge=1)]
    tta_candidates: Annotated[tuple[Tta, ...], Field(min_length=1)] = ("none",)
    must_gain: bool = False
    teacher: TeacherPlan | None = None


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


class CandidatePlan(_Part):
    """A start that was compared: the loss of its linear probe and the accuracy, both cross-validated, and its costs.

    `multiply_adds` and `forward_milliseconds` are those of the network for one picture, without reading it;
    `training_seconds` estimates the whole training.
    """

    name: str
    loss: float
    accuracy: SavedInterval
    multiply_adds: int
    forward_milliseconds: float
    training_seconds: float
    is_chosen: bool


class BudgetPlan(_Part):
    """The time limit of the whole run, and the part of it that is reserved for what follows training."""

    seconds: float
    reserve_seconds: float


class Plan(_Part):
    """Everything that training needs to know.

    `weights` names published weights, a file, "none", or "own" for those of a user's own network; `head_class_names`
    are the classes of the outputs of the head that the weights have, if that is loaded too. With `folds`, all else is
    the plan of each of their members, and the budget is that of one. `custom` names the Python
    objects that the user gave (network, loss, metrics, augmentation), which a plan cannot hold. `candidates` are the
    starts that were compared, if there was a choice. `reasons` says why each value was chosen, by the name of the
    setting. Without phases, nothing is trained.
    """

    format: int = PLAN_FORMAT
    recipe: str
    seed: int
    architecture: Architecture
    weights: Annotated[str, AfterValidator(_refuse_auto)]
    head_class_names: tuple[str, ...] = ()
    preprocess: Preprocess
    training: TrainingPlan
    phases: tuple[PhasePlan, ...]
    reading: ReadingPlan
    machine: MachinePlan
    budget: BudgetPlan | None = None
    folds: int | None = None
    evaluates_test: bool = True
    draws_plots: bool = True
    writes_report: bool = True
    custom: dict[str, str] = {}
    candidates: tuple[CandidatePlan, ...] = ()
    reasons: dict[str, str] = {}


def save_plan(plan: Plan, path: Path, *, sealed: Mapping[str, str] | None = None) -> None:
    """Write plan.json with its checksum and, by name, those of other files of the run that may not change."""
    content = {**plan.model_dump(mode="json"), _SEALED: dict(sealed or {})}
    write_json(path, {**content, _CHECKSUM: _compute_checksum(content)})


def load_plan(path: Path) -> Plan:
    """Read plan.json.

    Raises:
        RunFolderError: It is missing, damaged or was changed, or another version of the program wrote it.
    """
    content = _read(path)
    try:
        return Plan.model_validate({name: value for name, value in content.items() if name not in (_SEALED, _CHECKSUM)})
    except ValueError as error:
        reason = one_line(error)
        raise RunFolderError(
            f"{path} is damaged or of another version ({reason}); start again with ", OVERWRITE
        ) from None


def check_sealed(path: Path) -> None:
    """Check that the files whose checksums a plan has are as they were when the plan was made.

    Raises:
        RunFolderError: One was changed or is gone.
    """
    for place, is_unchanged in compare_sealed(path).items():
        if not is_unchanged:
            raise RunFolderError(
                f"{place} was changed or removed after the run was started; restore it, or start again with ", OVERWRITE
            )


def compare_sealed(path: Path) -> dict[Path, bool]:
    """Return whether each of the files whose checksums a plan has is as it was when the plan was made.

    Raises:
        RunFolderError: The plan is missing or damaged.
    """
    sealed = _read(path).get(_SEALED, {})
    files = {path.with_name(name): checksum for name, checksum in dict(sealed).items()}
    return {place: place.is_file() and compute_sha256(place) == checksum for place, checksum in files.items()}


def _read(path: Path) -> dict[str, Any]:
    """Return what a plan says, if it is what was written."""
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} is missing or damaged ({error}); start again with ", OVERWRITE) from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{path} is damaged: it is no plan; start again with ", OVERWRITE)
    if content.get("format") != UNSIGNED_FORMAT and content.get(_CHECKSUM) != _compute_checksum(content):
        raise RunFolderError(
            f"{path} was changed after the run was started, or is damaged: its checksum is not that of its content; "
            "restore it, or start again with ",
            OVERWRITE,
        )
    return content


def _compute_checksum(content: Mapping[str, Any]) -> str:
    values = {name: value for name, value in content.items() if name != _CHECKSUM}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
