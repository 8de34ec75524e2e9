"""Cuts a classifier before its first trainable part, so that the frozen part is computed once, not every epoch."""

from typing import NamedTuple

from torch import fx, nn
from torch.nn.modules.dropout import _DropoutNd

from discern.models.classifier import HEAD, Classifier
from discern.models.tracing import trace_graph


class Halves(NamedTuple):
    """A classifier in two: `trained(frozen(images))` are its logits."""

    frozen: nn.Module
    """Maps images (N, 3, H, W) to one tensor, the same in every epoch."""
    trained: nn.Module
    """Maps that tensor to logits (N, K)."""


def cut_classifier(classifier: Classifier) -> Halves | None:
    """Cut a classifier before its first trainable stage or block.

    The halves share the modules of the classifier: training `trained` trains it. Call `train()` and `eval()` on the
    classifier, which keeps frozen stages in eval mode, and not on the halves. Cut again after `set_trainable` and
    after moving the classifier to another device.

    Returns:
        None if there is nothing to cut off, because the stem trains or nothing does; or if the network cannot be cut
        there, because more than one tensor crosses the cut or the computation depends on the images or the mode.
    """
    trainable = classifier.trainable_parts
    if not trainable or trainable[0] == classifier.stage_names[0]:
        return None
    if trainable[0] == HEAD:
        return Halves(classifier.backbone, classifier.head)
    graph = _trace(classifier)
    return None if graph is None else _split(classifier, graph)


def _trace(classifier: Classifier) -> fx.Graph | None:
    """Trace with whole parts as leaves; None if the calls between them depend on the mode."""
    prefixes = {prefix for part in classifier.parts().values() for prefix in part}
    training = trace_graph(classifier, lambda name, _: name in prefixes, training=True)
    evaluating = trace_graph(classifier, lambda name, _: name in prefixes, training=False)
    return training if str(training) == str(evaluating) else None


def _split(classifier: Classifier, graph: fx.Graph) -> Halves | None:
    late = _late_nodes(classifier, graph)
    early = [node for node in graph.nodes if node not in late]
    used = [node for node in early if not late.isdisjoint(node.users)]
    # What is the same for all images, such as rotary position embeddings, both halves read for themselves.
    constants = {node for node in used if node.op == "get_attr"}
    crossing = [node for node in used if node not in constants]
    if len(crossing) != 1 or crossing[0].op not in ("call_module", "call_function", "call_method"):
        return None

    frozen = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in early:
        copies[node] = frozen.node_copy(node, copies.__getitem__)
    frozen.output(copies[crossing[0]])

    trained = fx.Graph()
    copies = {crossing[0]: trained.placeholder("maps")}
    for node in graph.nodes:
        if node in late or node in constants:
            copies[node] = trained.node_copy(node, copies.__getitem__)
    return Halves(fx.GraphModule(classifier, frozen, "Frozen"), fx.GraphModule(classifier, trained, "Trained"))


def _late_nodes(classifier: Classifier, graph: fx.Graph) -> set[fx.Node]:
    """Return the calls from the first trainable part on, those that are random in training, and all that follow."""
    parts = classifier.parts()
    first = list(parts).index(classifier.trainable_parts[0])
    prefixes = [prefix for part in list(parts.values())[first:] for prefix in part]
    late: set[fx.Node] = set()
    for node in graph.nodes:
        if (
            node.op == "output"
            or (node.op in ("call_module", "get_attr") and _touches(str(node.target), prefixes))
            or (node.op == "call_module" and _is_random(classifier.get_submodule(str(node.target))))
            or not late.isdisjoint(node.all_input_nodes)
        ):
            late.add(node)
    return late


def _touches(name: str, prefixes: list[str]) -> bool:
    """Return whether a module or parameter is inside one of `prefixes` or contains it."""
    return any(f"{name}.".startswith(f"{prefix}.") or f"{prefix}.".startswith(f"{name}.") for prefix in prefixes)


def _is_random(module: nn.Module) -> bool:
    """Return whether this is dropout; between parts, no frozen part keeps it in eval mode."""
    return isinstance(module, _DropoutNd) and module.p > 0
