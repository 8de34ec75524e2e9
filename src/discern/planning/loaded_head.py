"""Checks that a whole classifier, trained elsewhere, fits the pictures, and reads the shape of its head."""

from collections import Counter
from collections.abc import Sequence

from discern.config.sections.model import ModelSettings
from discern.data.class_finder import match_labels
from discern.errors import ConfigError, name_some
from discern.models.architecture import Architecture
from discern.models.classifier import Classifier
from discern.models.weights.pretrained import read_head


def check_load_head(model: ModelSettings, *, trains: bool, custom_network: bool) -> None:
    """Check that the settings say where a head comes from, and that something is trained or loaded.

    Raises:
        ConfigError: They do not.
    """
    if not model.load_head:
        if not trains:
            raise ConfigError(
                "a run without phases trains nothing; give a whole classifier with model.weights=FILE, "
                "model.load_head=true and model.class_names, or a recipe that trains"
            )
        return
    if custom_network:
        raise ConfigError("model.load_head takes the head of a file, and network= has its own; leave one of them out")
    if model.weights in ("none", "auto") or model.candidates:
        raise ConfigError(
            "model.load_head needs the weights of one whole classifier; give model.weights=FILE and no candidates"
        )
    if not model.class_names:
        raise ConfigError(
            "model.load_head needs model.class_names: the class of each output of the head, in order, as a list such "
            'as ["ant", "bee"] or a file with one name a line'
        )


def adopt_head(
    architecture: Architecture, weights: str, classifier: Classifier, names: Sequence[str], class_names: Sequence[str]
) -> tuple[Architecture, str]:
    """Return the architecture with the head of a file, and where it comes from.

    Args:
        architecture: As the settings describe it.
        weights: The file, or the name of published weights.
        classifier: With the backbone of the architecture.
        names: The class of each output of the head in the file.
        class_names: Those of the pictures.

    Raises:
        WeightsError: The file has no head that is understood.
        ConfigError: It has another number of outputs than there are names, or the pictures have other classes.
    """
    head = read_head(classifier.backbone, weights)
    if head.num_classes != len(names):
        raise ConfigError(
            f"the head of {weights} has {head.num_classes} outputs, and model.class_names has {len(names)} names "
            f"({name_some(list(names))}); give one name for each output, in their order"
        )
    order_outputs(names, class_names)
    hidden = head.hidden_features
    shape = {"head": "mlp", "hidden_features": hidden} if hidden else {"head": "linear"}
    return architecture.model_copy(update=shape), f"that of the weights: {head.describe()}"


def order_outputs(names: Sequence[str], class_names: Sequence[str]) -> list[int]:
    """Return for each class of the pictures which output of a head it is, joined by name.

    Raises:
        ConfigError: Names occur twice, or one side has classes that the other has not.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(f"model.class_names has {name_some(twice)} twice; give each output its own class")
    found = match_labels(class_names, names, "model.class_names")
    unknown = [name for name in class_names if name not in found]
    missing = [name for name in names if name not in found.values()]
    differences = [f"only the pictures have {name_some(unknown)}"] if unknown else []
    differences += [f"only the head has {name_some(missing)}"] if missing else []
    if differences:
        raise ConfigError(
            f"the classes of the head are not those of the pictures: {'; '.join(differences)}. Name the classes alike "
            "on both sides, and give pictures of each class of the head and of no other"
        )
    return [list(names).index(found[name]) for name in class_names]
