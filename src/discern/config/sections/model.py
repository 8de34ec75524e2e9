"""The section [model], with the checks of its values."""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from discern.config.sections.section import Count, Section, make_absolute

_WEIGHTS_BY_NAME = ("none", "auto", "imagenet", "imagenet-v1", "imagenet-v2")


def _find_weights(weights: str) -> str:
    path = Path(weights)
    if weights in _WEIGHTS_BY_NAME:
        return weights
    if path.name == weights and not path.suffix and not path.exists():
        near = get_close_matches(weights, _WEIGHTS_BY_NAME, n=1)
        advice = f"did you mean {near[0]}? Give" if near else "give"
        raise ValueError(
            f"there are no weights and no file named {weights!r}; {advice} {', '.join(_WEIGHTS_BY_NAME)}, or the path "
            "of a .safetensors, .pth or .pt file"
        )
    return str(make_absolute(path))


def _refuse_no_weights(weights: str) -> str:
    if weights in ("none", "auto"):
        raise ValueError(
            f"{weights} names no weights; a candidate needs a file, or imagenet, imagenet-v1 or imagenet-v2"
        )
    return weights


def _read_class_names(names: Any) -> Any:
    """Return names as they are, or those of a file: a run keeps the names, not the file."""
    if not isinstance(names, str | Path):
        return names
    path = Path(names).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
        listed = json.loads(text) if path.suffix == ".json" else [line.strip() for line in text.splitlines()]
    except (OSError, ValueError) as error:
        raise ValueError(
            f'the names cannot be read from {names!r} ({error}); give a list such as ["ant", "bee"], or the path of a '
            "file with one name a line"
        ) from None
    return listed.get("class_names", listed) if isinstance(listed, dict) else [name for name in listed if name]


class CandidateSettings(Section):
    """A network and weights that a run may start from."""

    backbone: str
    weights: Annotated[str, AfterValidator(_find_weights), AfterValidator(_refuse_no_weights)]


class ModelSettings(Section):
    """The network: backbone, its weights, and the head."""

    backbone: str = Field(
        "resnet50",
        description="resnet18 ... resnet152, resnet18-half, or timm:NAME; auto: with model.weights=auto the network on "
        "this machine with the best linear probe, otherwise and if there is none resnet50",
    )
    weights: Annotated[str, AfterValidator(_find_weights)] = Field(
        "imagenet",
        description="imagenet, imagenet-v1, imagenet-v2, none, or a path to .safetensors or .pth; auto: of the "
        "weights on this machine, those with the best linear probe; if there are none, the newest are downloaded",
    )
    candidates: tuple[CandidateSettings, ...] = Field(
        (), description="other networks and weights to compare by a linear probe; the run starts from the best"
    )
    load_head: bool = Field(
        False, description="take the head of the weights too, for a whole classifier that was trained elsewhere"
    )
    class_names: Annotated[tuple[str, ...], BeforeValidator(_read_class_names)] = Field(
        (),
        description="for load_head: the class of each output of that head, in order; or a file with one name a line, "
        "or a .json file with a list",
    )
    stem: Literal["auto", "imagenet", "small"] = Field("auto", description="'small' suits pictures of 32 to 64 pixels")
    features: Literal["auto", "last", "stages", "covariances"] = Field(
        "last",
        description="what the head reads. last: the pooled last feature map; stages: also mean and deviation of each "
        "channel of the upper stages' maps; covariances: also how the channels of one of them vary together; auto: "
        "last or covariances, whichever is better in a linear probe",
    )
    head: str = Field("linear", description="linear: one layer; mlp: hidden layers before it; or a registered head")
    hidden_features: tuple[Count, ...] = Field((512,), description="widths of the hidden layers of the mlp head")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="dropout rate, before a linear head or inside an mlp head"
    )
    stochastic_depth: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="stochastic depth: drop rate of the deepest block"
    )
    zero_init_residual: bool = Field(False, description="start each residual branch at zero (from scratch only)")
