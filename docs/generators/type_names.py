"""Types that have a name in the code are shown by it in signatures, not by all that they stand for."""

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


def name_types(_app: Sphinx, documented: object, _is_method: bool) -> None:
    """Put the names in place of the types, before the signature of a function is read."""
    annotations = getattr(documented, "__annotations__", {})
    for parameter, annotation in annotations.items():
        for name, meaning in NAMED_TYPES.items():
            if annotation == meaning:
                annotations[parameter] = name
            elif annotation == meaning | None:
                annotations[parameter] = f"{name} | None"
