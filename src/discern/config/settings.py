"""All settings of a run, from one section a file."""

from typing import Any, Self

from pydantic import model_validator

from discern.config.sections.cache import CacheSettings
from discern.config.sections.data import DataSettings
from discern.config.sections.model import ModelSettings
from discern.config.sections.recipe import RecipeSettings
from discern.config.sections.run import RunSettings
from discern.config.sections.section import Section
from discern.config.sections.training import TrainingSettings


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
