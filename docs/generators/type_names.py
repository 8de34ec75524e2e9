"""Types in signatures as a reader knows them: by the name that the code has for them, without checks and shapes."""

import re
from collections.abc import Sequence

from sphinx.application import Sphinx

from discern.config.overrides import Overrides
from discern.data.sources.inputs import Input
from discern.data.sources.load import Source
from discern.engine.train_step import Loss
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.custom import Network

NAMED_TYPES = {
    "Input": Input,
    "Loss": Loss,
    "MetricFunction": MetricFunction,
    "Network": Network,
    "Overrides": Overrides,
    "Source": Source,
}
_SHOWN = {**NAMED_TYPES, "Sequence[Input] | Input": Sequence[Input] | Input}

_SHORTER = (
    (re.compile(r"[~\w.]*Annotated\[((?:[^\[\],]|\[[^\]]*\])+), [~\w.]+\([^)]*\)\]"), r"\1"),
    (re.compile(r"[~\w.]*ndarray\[[~\w.]*tuple\[[~\w.]*Any, \.\.\.\], [~\w.]*dtype\[([~\w.]+)\]\]"), r"NDArray[\1]"),
    (re.compile(r"TypeAliasForwardRef\('(\w+)'\)"), r"\1"),
)


def name_types(_app: Sphinx, documented: object, _is_method: bool) -> None:
    """Put the names in place of the types, before the signature of a function is read."""
    annotations = getattr(documented, "__annotations__", {})
    for parameter, annotation in annotations.items():
        for name, meaning in _SHOWN.items():
            if annotation == meaning:
                annotations[parameter] = name
            elif annotation == meaning | None:
                annotations[parameter] = f"{name} | None"


def shorten_types(*event: object) -> tuple[str | None, str | None]:
    """Return signature and result, the last two parts of the event, with `Annotated[int, Ge(ge=1)]` as `int`."""
    signature, result = (_shorten(text) if isinstance(text, str) else None for text in event[-2:])
    return signature, result


def _shorten(text: str) -> str:
    for pattern, shorter in _SHORTER:
        text = pattern.sub(shorter, text)
    return text
