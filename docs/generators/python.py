"""The reference of the Python functions and classes: directives that read signatures and docstrings."""

import inspect
from collections.abc import Callable, Iterator, Mapping

import discern
from discern.data.reading.augment import AUGMENTATIONS
from discern.engine.optimizers import OPTIMIZERS
from discern.engine.schedules import SCHEDULES
from discern.explanation.methods import EXPLANATIONS
from discern.exporting.formats import EXPORT_FORMATS
from discern.models.backbone import BACKBONES
from discern.models.heads import HEADS
from discern.tracking.following import TRACKERS
from generators.markdown import build_table

REGISTRIES: Mapping[str, Mapping[str, object]] = {
    "register_backbone": BACKBONES,
    "register_head": HEADS,
    "register_augmentation": AUGMENTATIONS,
    "register_optimizer": OPTIMIZERS,
    "register_schedule": SCHEDULES,
    "register_export_format": EXPORT_FORMATS,
    "register_explanation": EXPLANATIONS,
    "register_tracker": TRACKERS,
}
"""What each decorator adds to."""


def build_python() -> str:
    """Return one section a kind of public name, so that no name can be forgotten."""
    sections = {
        "Functions": _list_names(lambda name, value: inspect.isroutine(value) and name not in REGISTRIES),
        "Classes": _list_names(lambda _, value: isinstance(value, type) and not _is_error(value)),
        "Registries": [*REGISTRIES],
        "Errors": _list_names(lambda _, value: _is_error(value)),
    }
    return "\n\n".join(part for title, names in sections.items() for part in _describe_section(title, names))


def _list_names(is_kind: Callable[[str, object], bool]) -> list[str]:
    return [name for name in discern.__all__ if is_kind(name, getattr(discern, name))]


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _describe_section(title: str, names: list[str]) -> Iterator[str]:
    yield f"## {title}"
    if title == "Registries":
        yield "What comes with discern, by name:"
        rows = ((f"`{name}`", ", ".join(f"`{entry}`" for entry in REGISTRIES[name])) for name in names)
        yield build_table(("decorator", "entries"), rows)
    for name in names:
        yield f"```{{eval-rst}}\n{_direct(name)}\n```"


def _direct(name: str) -> str:
    value = getattr(discern, name)
    if not inspect.isclass(value):
        return f".. autofunction:: discern.{name}"
    if _is_error(value):
        return f".. autoexception:: discern.{name}"
    return f".. autoclass:: discern.{name}\n   :members:"
