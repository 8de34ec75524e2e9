"""The section [recipe]."""

from discern.config.sections.section import Section


class RecipeSettings(Section):
    """What a recipe is for; information for people, without effect on the run."""

    name: str = "custom"
    purpose: str = ""
    time: str = ""
    expected: str = ""
