"""All that is needed to build the same network again; a bundle saves it."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from discern.models.stage_features import Features

CUSTOM = "custom"
"""Stands for the backbone of a network that the user gave as a Python object."""

_MAX_MEMBERS = 100


class Architecture(BaseModel):
    """A backbone and a head with their options; see `ModelSettings` for what each means.

    Of an ensemble, `members` has for each member the place of its backbone among the different ones, from 0; members
    with the same place share it. It is empty for a single classifier.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = "resnet50"
    stem: Literal["imagenet", "small"] = "imagenet"
    features: Features = "last"
    head: str = "linear"
    hidden_features: tuple[int, ...] = (512,)
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    zero_init_residual: bool = False
    members: Annotated[tuple[int, ...], Field(max_length=_MAX_MEMBERS)] = ()

    @model_validator(mode="after")
    def _check_members(self) -> Self:
        if set(self.members) != set(range(len(set(self.members)))):
            raise ValueError(f"the backbones of its members are {self.members}; expected places from 0 without a gap")
        return self

    @property
    def of_member(self) -> "Architecture":
        """That of each member of an ensemble; a single classifier is its own member."""
        return self.model_copy(update={"members": ()})

    def describe(self) -> str:
        """Return it as text for people, without what the head reads."""
        one = f"{self.backbone} with a {self.head} head"
        if not self.members:
            return one
        count, backbones = len(self.members), len(set(self.members))
        if backbones == count:
            return f"An ensemble of {count}, each {one}"
        shared = "one backbone" if backbones == 1 else f"{backbones} backbones"
        return f"An ensemble of {count} that share {shared}, each {one}"
