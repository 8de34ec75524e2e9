"""What a user brings along as Python objects, beside the settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType

from torch import Tensor

from discern.engine.train_step import Loss
from discern.errors import ConfigError, RunFolderError
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.custom import Network


@dataclass(frozen=True)
class Custom:
    """A user's own network, loss, metrics and augmentation, as far as there are any; see `discern.train`."""

    network: Network | None = None
    loss: Loss | None = None
    metrics: Mapping[str, MetricFunction] = field(default_factory=dict)
    augment: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        wrong = [name for name in self.metrics if not name.isidentifier()]
        if wrong:
            raise ConfigError(f"metrics={wrong}: a metric's name becomes a column; use letters, digits and _")

    def describe(self) -> dict[str, str]:
        """Return what there is, by name, and what each is called in Python."""
        parts: dict[str, object] = {"network": self.network, "loss": self.loss, "augment": self.augment}
        parts |= {f"metrics.{name}": metric for name, metric in self.metrics.items()}
        return {name: _name(part) for name, part in parts.items() if part is not None}

    def check_same(self, begun: Mapping[str, str], folder: object) -> None:
        """Raise unless a run that goes on gets what it was begun with.

        Raises:
            RunFolderError: Something is missing, or new.
        """
        given = self.describe()
        missing, new = sorted(begun.keys() - given.keys()), sorted(given.keys() - begun.keys())
        if missing:
            listed = ", ".join(f"{name.partition('.')[0]}= ({begun[name]})" for name in missing)
            raise RunFolderError(f"the run in {folder} was begun with objects of yours; give them again: {listed}")
        if new:
            raise RunFolderError(f"the run in {folder} was begun without {', '.join(new)}; leave that out")


def _name(part: object) -> str:
    if isinstance(part, FunctionType | type):
        return f"{part.__module__}.{part.__qualname__}"
    return f"{type(part).__module__}.{type(part).__qualname__}"
