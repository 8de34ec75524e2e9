"""What there is to say of a trained classifier, in a few lines for people."""

from collections.abc import Iterator

from discern.counts import count_of
from discern.engine.views import NUM_VIEWS
from discern.errors import cut
from discern.percent import percent
from discern.predictor.bundle import Bundle
from discern.runtime import Runtime

_SHOWN_CLASSES = 12


def summarize_predictor(bundle: Bundle, runtime: Runtime) -> dict[str, str]:
    """Return the facts by name: the network, the classes, what it takes, how good it is and what it can tell."""
    return dict(_list_facts(bundle, runtime))


def _list_facts(bundle: Bundle, runtime: Runtime) -> Iterator[tuple[str, str]]:
    parameters = sum(parameter.numel() for parameter in bundle.classifier.parameters())
    backbone = bundle.classifier.backbone.name
    yield "network", f"{backbone}, {parameters / 1e6:.1f} million parameters, on {runtime.device}"
    names = [cut(name, 40) for name in bundle.class_names[:_SHOWN_CLASSES]]
    others = len(bundle.class_names) - len(names)
    more = f" and {others} others" if others else ""
    yield count_of(len(bundle.class_names), "class", "classes"), ", ".join(names) + more
    yield "pictures", f"{bundle.preprocess.image_size} px, {bundle.preprocess.fit}"
    if bundle.tta != "none":
        yield "test-time augmentation", f"{bundle.tta}: answers are means over {NUM_VIEWS[bundle.tta]} views"
    for split, scores in ({} if bundle.record is None else bundle.record.scores).items():
        low, high = percent(scores.accuracy.low), percent(scores.accuracy.high)
        value = f"{percent(scores.accuracy.value)} (95 % interval {low} to {high}), {count_of(scores.count, 'picture')}"
        yield f"{split} accuracy", value
    yield "unlike the training pictures", "recognised" if bundle.feature_bank else "not recognised: no feature bank"
