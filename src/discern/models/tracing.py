"""Records what a module computes as a graph of calls, which other files transform."""

import copy
import logging
from collections.abc import Callable
from operator import attrgetter

from torch import fx, nn

logger = logging.getLogger("discern")

# What a forward method raises when it needs the numbers of a placeholder; TraceError is a ValueError.
_UNTRACEABLE = (TypeError, ValueError, RuntimeError, AttributeError, LookupError, AssertionError)


def trace_graph(module: nn.Module, is_leaf: Callable[[str, nn.Module], bool], *, training: bool) -> fx.Graph | None:
    """Return the calls that a module makes in training or in eval mode; None where they depend on the images.

    The module itself is neither run nor changed.

    Args:
        module: Takes one tensor.
        is_leaf: Whether the submodule of this name is recorded as one call; PyTorch's own layers always are.
        training: The mode to ask for; a `Classifier` keeps its frozen stages in eval mode.
    """
    # A copy of the structure that shares the tensors: tracing changes modes and attributes of the copy alone.
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    skeleton = copy.deepcopy(module, shared).train(training)
    try:
        graph = _Tracer(is_leaf).trace(skeleton)
        for node in graph.find_nodes(op="get_attr"):
            # Fails for a tensor that was computed during tracing, which exists on the copy alone.
            attrgetter(str(node.target))(module)
    except _UNTRACEABLE as error:
        logger.debug("%s cannot be traced: %s", type(module).__name__, error)
        return None
    return graph


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True

    def __init__(self, is_leaf: Callable[[str, nn.Module], bool]) -> None:
        super().__init__()
        self._is_leaf = is_leaf

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return self._is_leaf(module_qualified_name, m) or super().is_leaf_module(m, module_qualified_name)
