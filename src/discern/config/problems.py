"""Says what is wrong with settings: for each what came and what was expected."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from discern.config.sections.phase import PHASE_DEFAULTS, PhaseSettings
from discern.config.sections.training import TrainingSettings
from discern.config.settings import Settings
from discern.errors import show_value

Place = tuple[int | str, ...]
"""Where a setting stands, such as ("training", "phases", 0, "epochs")."""

_KINDS = {
    "bool": "true or false",
    "dict": "a table",
    "finite": "a finite number",
    "float": "a number",
    "int": "a whole number",
    "model": "a table",
    "string": "text",
    "tuple": "a list",
}
"""What was expected, by the first word of pydantic's name of the problem, such as int_parsing."""
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_TYPES = ("int", "bool", "str", "float")


def describe_problems(error: ValidationError, raw: Mapping[str, Any]) -> list[str]:
    """Return a text for each setting that is wrong, and one for all phases that have the same fault.

    Args:
        error: What pydantic found: a problem for each type that a setting may have, and for each phase.
        raw: The settings that it looked at, for the names of the phases.
    """
    problems: dict[Place, list[ErrorDetails]] = {}
    for problem in error.errors():
        problems.setdefault(_find_setting(problem["loc"]), []).append(problem)
    exact_by_general: dict[str, list[str]] = {}
    for place, found in problems.items():
        exact = _describe(_name_phase(place, _read_phase_name(place, raw)), found)
        exact_by_general.setdefault(_describe(_name_phase(place, "*"), found), []).append(exact)
    return [exact[0] if len(exact) == 1 else general for general, exact in exact_by_general.items()]


def _find_setting(location: Place) -> Place:
    """Return where a setting stands, without the type that pydantic appends, such as "literal['auto']"."""
    place = tuple(part for part in location if isinstance(part, int) or part.isidentifier())
    return place[:-1] if len(place) > 2 and place[-1] in _TYPES else place


def _is_of_phase(place: Place) -> bool:
    return place[:2] == ("training", "phases") and len(place) > 2


def _name_phase(place: Place, name: str) -> Place:
    """Return a place with the name of its phase in place of the number, if it is of one."""
    return (*place[:2], name, *place[3:]) if _is_of_phase(place) else place


def _read_phase_name(place: Place, raw: Mapping[str, Any]) -> str:
    if not _is_of_phase(place):
        return ""
    phase = raw["training"]["phases"][place[2]]
    return str(phase.get("name", place[2]) if isinstance(phase, Mapping) else place[2])


def _describe(place: Place, problems: Sequence[ErrorDetails]) -> str:
    """Return what is wrong with one setting, of which a type that it may have has a problem each."""
    name, first = ".".join(map(str, place)), problems[0]
    if first["type"] == "extra_forbidden":
        close = get_close_matches(str(place[-1]), _list_names(place[:-1]), 1)
        hint = f"; did you mean {'.'.join([*map(str, place[:-1]), close[0]])}?" if close else ""
        return f"unknown setting {name}{hint}"
    if first["type"] == "missing":
        return f"{name} is missing"
    expected = [_describe_expected(problem) for problem in problems]
    if None not in expected:
        return f"{name} is {show_value(first['input'])}; expected {' or '.join(dict.fromkeys(map(str, expected)))}"
    text = first["msg"].removeprefix("Value error, ")
    return f"{name}: {text}" if name else text


def _describe_expected(problem: ErrorDetails) -> str | None:
    """Return what was expected in place of a value; None where only the problem itself says it."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind in _BOUNDS:
        limit, words = _BOUNDS[kind]
        return f"{words} {context[limit]:g}"
    return _KINDS.get(kind.partition("_")[0])


def _list_names(place: Place) -> list[str]:
    """Return the names of the settings in a section or a phase."""
    if _is_of_phase(place):
        return list(PhaseSettings.model_fields)
    section = Settings.model_fields[str(place[0])].annotation if place else Settings
    names = list(getattr(section, "model_fields", ()))
    return names + sorted(PHASE_DEFAULTS) if section is TrainingSettings else names
