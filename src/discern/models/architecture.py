"""All that is needed to build the same network again; a bundle saves it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

CUSTOM = "custom"
"""Stands for the backbone of a network that the user gave as a Python object."""


class Architecture(BaseModel):
    """A backbone and a head with their options; see `ModelSettings` for what each means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = "resnet50"
    stem: Literal["imagenet", "small"] = "imagenet"
    head: str = "linear"
    hidden_features: tuple[int, ...] = (512,)
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    zero_init_residual: bool = False
