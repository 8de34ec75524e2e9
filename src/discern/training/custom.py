"""The Python objects that a user gives in addition to settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FunctionType

from torch import Tensor

from discern.engine.train_step import Loss
from discern.errors import ConfigError, RunFolderError, refuse_value
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.custom import Network

_EXPECTED = {
    "network": "a torch.nn.Module, or a function that takes the number of classes and returns one",
    "loss": "a function of logits and targets",
    "augment": "a function of an image",
}
_EXPECTED_METRICS = "names with functions of targets and probabilities"


@dataclass(frozen=True)
class Custom:
    """A user's own network, loss, metrics and augmentation, all optional; see `discern.train`."""

    network: Network | None = None
    loss: Loss | None = None
    metrics: Mapping[str, MetricFunction] = field(default_factory=dict)
    augment: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        for name, expected in _EXPECTED.items():
            part = getattr(self, name)
            if part is not None and not callable(part):
                raise refuse_value(name, part, expected)
        if not isinstance(self.metrics, Mapping) or not all(map(callable, self.metrics.values())):
            raise refuse_value("metrics", self.metrics, _EXPECTED_METRICS)
        wrong = [name for name in self.metrics if not str(name).isidentifier()]
        if wrong:
            raise ConfigError(f"metrics={wrong}: a metric's name becomes a column; use letters, digits and _")

    def describe(self) -> dict[str, str]:
        """Return the Python name of each object, by the name of its argument."""
        parts: dict[str, object] = {"network": self.network, "loss": self.loss, "augment": self.augment}
        parts |= {f"metrics.{name}": metric for name, metric in self.metrics.items()}
        return {name: _name(part) for name, part in parts.items() if part is not None}

    def check_same(self, planned: Mapping[str, str], folder: object) -> None:
        """Check that a run is resumed with the objects that it was started with.

        Raises:
            RunFolderError: An object is missing, or new.
        """
        given = self.describe()
        missing, new = sorted(planned.keys() - given.keys()), sorted(given.keys() - planned.keys())
        if missing:
            listed = ", ".join(f"{name.partition('.')[0]}= ({planned[name]})" for name in missing)
            raise RunFolderError(f"the run in {folder} was started with objects of yours; give them again: {listed}")
        if new:
            raise RunFolderError(f"the run in {folder} was started without {', '.join(new)}; leave that out")


def _name(part: object) -> str:
    if isinstance(part, FunctionType | type):
        return f"{part.__module__}.{part.__qualname__}"
    return f"{type(part).__module__}.{type(part).__qualname__}"
