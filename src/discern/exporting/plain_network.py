"""The network that other programs know a classifier as: torchvision's, timm's, or our own where neither has it."""

from typing import Literal, Self

import torchvision
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from discern.errors import ExportError
from discern.models import timm_network
from discern.models.backbone import TIMM_PREFIX, Backbone, describe_backbone
from discern.models.heads import MlpHead, list_linear_layers
from discern.models.resnet_backbone import RESNETS
from discern.predictor.bundle import Bundle
from discern.predictor.calibration import Calibration

_TAKES_ALL = "export it to onnx or torch, which take any network"


class PlainNetwork(BaseModel):
    """A network of a library by its name there.

    `classifier` is the name of the module that gives the logits: a linear layer, or the layers of an mlp head with
    `hidden_features` and `dropout`. `stem` differs for our own networks alone. `image_size` is the side of its images
    in pixels where the network is built for another one than timm's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Literal["torchvision", "timm", "discern"]
    name: str
    num_classes: int
    classifier: str = "fc"
    hidden_features: tuple[int, ...] = ()
    dropout: float = 0.0
    stem: Literal["imagenet", "small"] = "imagenet"
    image_size: int | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return the network of a bundle, as other programs name it.

        Raises:
            ExportError: It is a user's own, an ensemble, its head is neither a linear layer nor an mlp, or reads more
                than the last feature map.
        """
        architecture, backbone = bundle.architecture, bundle.classifier.backbone
        if architecture.members:
            raise ExportError(
                f"torchvision and timm have no ensembles, and this is one of {len(architecture.members)}; {_TAKES_ALL}"
            )
        is_timm = architecture.backbone.startswith(TIMM_PREFIX)
        if not is_timm and architecture.backbone not in RESNETS:
            raise ExportError(f"torchvision and timm have no network {architecture.backbone!r}; {_TAKES_ALL}")
        if architecture.features != "last":
            raise ExportError(
                "the head reads the upper stages of the network, too, which torchvision and timm do not know; "
                f"{_TAKES_ALL}, or train with model.features=last"
            )
        if architecture.head not in ("linear", "mlp"):
            raise ExportError(f"torchvision and timm have no head {architecture.head!r}; {_TAKES_ALL}")
        is_torchvisions = architecture.stem == "imagenet" and architecture.backbone in torchvision.models.list_models()
        own = cls(
            library="timm" if is_timm else "torchvision" if is_torchvisions else "discern",
            name=architecture.backbone.removeprefix(TIMM_PREFIX),
            num_classes=len(bundle.class_names),
            stem=architecture.stem,
            image_size=_find_own_size(backbone) if is_timm else None,
        )
        head = {"hidden_features": architecture.hidden_features, "dropout": architecture.dropout}
        return own.model_copy(
            update={"classifier": _find_classifier(own.build()), **(head if architecture.head == "mlp" else {})}
        )

    def build(self) -> nn.Module:
        """Build it with random weights, in evaluation mode: images (N, 3, H, W) to logits (N, K)."""
        if self.library == "timm":
            import timm

            network: nn.Module = timm.create_model(self.name, num_classes=self.num_classes)
            if self.image_size is not None:
                timm_network.resize(network, self.image_size)
        elif self.library == "torchvision":
            network = torchvision.models.get_model(self.name, weights=None, num_classes=self.num_classes)
        else:
            network = RESNETS[self.name](num_classes=self.num_classes, stem=self.stem)
        if self.hidden_features:
            layer = network.get_submodule(self.classifier)
            assert isinstance(layer, nn.Linear)
            head = MlpHead(
                layer.in_features, self.num_classes, hidden_features=self.hidden_features, dropout=self.dropout
            )
            network.set_submodule(self.classifier, head.layers)
        return network.eval()


def rename_tensors(bundle: Bundle, plain: PlainNetwork) -> dict[str, Tensor]:
    """Return the weights of a classifier by the names that they have in the plain network.

    Its last layer has the calibration inside, so that the softmax of the logits are the calibrated probabilities.
    """
    layers = list_linear_layers(bundle.classifier.head)
    places = [""] if len(layers) == 1 else [f".{3 * place}" for place in range(len(layers))]
    tensors = dict(bundle.classifier.backbone.network.state_dict())
    for place, layer in zip(places, layers, strict=True):
        values = (layer.weight, layer.bias) if layer is not layers[-1] else _calibrate(layer, bundle.calibration)
        for kind, value in zip(("weight", "bias"), values, strict=True):
            tensors[f"{plain.classifier}{place}.{kind}"] = value.detach()
    return {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}


def load_strictly(plain: PlainNetwork, tensors: dict[str, Tensor]) -> nn.Module:
    """Build a plain network with these weights.

    Raises:
        ExportError: Names or shapes differ.
    """
    network = plain.build()
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ExportError(f"the weights are not those of {plain.library}'s {plain.name}: {error}") from None
    return network


def _find_own_size(backbone: Backbone) -> int | None:
    """Return the side of the images, in pixels, that a transformer was built for instead of timm's; None for timm's."""
    differs = backbone.has_fixed_size and backbone.image_size != describe_backbone(backbone.name).image_size
    return backbone.image_size if differs else None


def _find_classifier(network: nn.Module) -> str:
    """Return the name of the linear layer that gives the logits."""
    name = getattr(network, "pretrained_cfg", {"classifier": "fc"}).get("classifier")
    if not isinstance(name, str) or not isinstance(network.get_submodule(name), nn.Linear):
        raise ExportError(f"the classifier of {type(network).__name__} is not one linear layer; {_TAKES_ALL}")
    return name


def _calibrate(layer: nn.Linear, calibration: Calibration) -> tuple[Tensor, Tensor]:
    """Return weight (K, F) and bias (K,) of a layer whose logits are calibrated."""
    scales, biases = calibration.compute_scales(layer.out_features)
    weight, bias = layer.weight.detach().cpu().double(), layer.bias.detach().cpu().double()
    return (weight * scales[:, None]).to(layer.weight.dtype), (bias * scales + biases).to(layer.bias.dtype)
