"""The search space: which settings vary, and within which bounds."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from discern.config.load import load_settings
from discern.config.settings import Settings
from discern.errors import ConfigError
from discern.planning.phases import TYPICAL_FACTS, plan_phases

if TYPE_CHECKING:
    from optuna import Trial

_RATE_FACTOR = 8.0
_EXAMPLE = '"learning_rate" = {low = 1e-4, high = 1e-2, log = true} or "augment" = {choices = ["light", "standard"]}'


class Range(BaseModel):
    """Numbers from `low` to `high`, integers if both are; on a logarithmic scale if `log`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 with log")
        return self

    def suggest(self, trial: "Trial", name: str) -> int | float:
        """Return the number for a trial."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)


class Choices(BaseModel):
    """One of several values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    choices: Annotated[tuple[str | bool | int | float, ...], Field(min_length=2)]

    def suggest(self, trial: "Trial", name: str) -> str | bool | int | float:
        """Return the value for a trial."""
        return cast("str | bool | int | float", trial.suggest_categorical(name, self.choices))


Space = Mapping[str, Range | Choices]
"""Ranges and choices, by the name of the setting as in an override."""


class _SpaceFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    space: Annotated[dict[str, Range | Choices], Field(min_length=1)]


def build_default_space(settings: Settings) -> dict[str, Range | Choices]:
    """Return the default space of a recipe: the learning rates of its phases, and settings against overfitting.

    `layer_decay` only varies with pretrained weights.
    """
    space: dict[str, Range | Choices] = {}
    is_pretrained = settings.model.weights != "none"
    phases, _ = plan_phases(settings.training.phases, TYPICAL_FACTS._replace(is_pretrained=is_pretrained))
    for phase in phases:
        if phase.head_solver == "lbfgs":
            continue
        name, rate = f"training.phases.{phase.name}", phase.learning_rate
        space[f"{name}.learning_rate"] = Range(low=rate / _RATE_FACTOR, high=rate * _RATE_FACTOR, log=True)
        if phase.proportional_rates:
            # A rate that is given, as that of a trial, is otherwise meant as it is.
            space[f"{name}.proportional_rates"] = Choices(choices=(True, False))
        if phase.initial_share:
            space[f"{name}.initial_share"] = Range(low=0.0, high=0.75)
        if phase.train != ("head",):
            space[f"{name}.augment"] = Choices(choices=("light", "standard"))
            space[f"{name}.weight_decay"] = Range(low=1e-4, high=0.2, log=True)
            if is_pretrained:
                space[f"{name}.layer_decay"] = Range(low=0.6, high=1.0)
    space["training.label_smoothing"] = Range(low=0.0, high=0.2)
    space["model.dropout"] = Range(low=0.0, high=0.5)
    return space


def load_space(path: Path) -> dict[str, Range | Choices]:
    """Read the section [space] of a TOML file.

    Raises:
        ConfigError: The file is missing or not understood; all problems are listed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return _SpaceFile.model_validate(content).space
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from None
    except ValidationError as error:
        names = dict.fromkeys(".".join(map(str, problem["loc"][:2])) for problem in error.errors())
        raise ConfigError(f"{path}: not understood: {', '.join(names)}. In [space] write {_EXAMPLE}") from None


def check_space(space: Space, recipe: str, overrides: Sequence[str]) -> None:
    """Check that every setting of a space exists and accepts its choices or the ends of its range.

    Raises:
        ConfigError: A setting is unknown or does not accept a value.
    """
    for name, choice in space.items():
        for value in choice.choices if isinstance(choice, Choices) else (choice.low, choice.high):
            load_settings(recipe, [*overrides, build_override(name, value)])


def suggest_overrides(space: Space, trial: "Trial") -> list[str]:
    """Return the overrides of a trial."""
    return [build_override(name, choice.suggest(trial, name)) for name, choice in space.items()]


def build_override(name: str, value: Any) -> str:
    """Return a setting as a `key=value` override."""
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"
