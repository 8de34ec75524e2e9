"""The section [[training.phases]]."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from discern.config.sections.section import Count, Fraction, NotNegative, Positive, Section, list_one

AugmentPolicy = str | tuple[dict[str, Any], ...]
HeadSolver = Literal["gradient", "lbfgs"]
Keep = Literal["best", "last"]


class PhaseBase(Section):
    """What the settings of a phase and its plan have in common."""

    name: str = Field("all", description="name of the phase in overrides, logs and tables")
    train: Annotated[Literal["all"] | tuple[str, ...], BeforeValidator(list_one)] = Field(
        "all",
        description="stages of the network that are trained: stem, layer1 ... head, or all; or single blocks, such as "
        "layer4.2 of a ResNet or blocks.11 of a vision transformer",
    )
    weight_decay: NotNegative = Field(0.0, description="weight decay; norms and biases have none")
    momentum: Fraction = Field(0.9, description="momentum of sgd and muon")
    schedule: str = Field(
        "constant",
        description="how the learning rate changes within the phase: constant, step, cosine, one-cycle, plateau, or a "
        "registered one",
    )
    warmup_epochs: NotNegative = Field(0.0, description="epochs of linear rise at the start (not for one-cycle)")
    step_epochs: Count = Field(5, description="for step: epochs between two drops")
    gamma: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="for step and plateau: factor by which the rate drops"
    )
    plateau_patience: Annotated[int, Field(ge=0)] = Field(
        2, description="for plateau: epochs without a better validation loss before a drop"
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        0, description="early stopping: epochs without improvement before the phase ends; 0 = never"
    )
    image_scale: Annotated[float, Field(ge=0.25, le=1)] = Field(
        1.0, description="side of training pictures as a fraction of data.image_size; validation uses the full size"
    )


class PhaseSettings(PhaseBase):
    """One phase of training. All settings except name and train may also be given in [training], for all phases."""

    epochs: Count | Literal["auto"] = Field(10, description="auto: by weights and number of training pictures")
    optimizer: str = Field(
        "adamw",
        description="sgd, adam, adamw, muon (learns the most per epoch from scratch, but its steps take longer), or a "
        "registered one; auto: by weights",
    )
    learning_rate: Positive | Literal["auto"] = Field(
        1e-3, description="learning rate of the topmost trainable part; auto: by weights and data"
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = Field(
        1.0, description="learning rate of each block divided by that of the block above it; auto: by weights"
    )
    proportional_rates: bool | Literal["auto"] = Field(
        False,
        description="lower learning rates of the backbone in proportion to the size of its weights where their root "
        "mean square is below 0.12; auto: for adam and adamw on pretrained weights, where the learning rate "
        "is auto",
    )
    paired_heads: bool | Literal["auto"] = Field(
        False,
        description="where the head reads more than the last feature map: let a second head learn from that map alone, "
        "and take the mean of both; auto: where layers below a linear head learn, too",
    )
    initial_share: Fraction | Literal["auto"] = Field(
        0.0,
        description="share of the weights that the phase begins with in those that are validated and kept; the trained "
        "ones have the rest; auto: 0.3 for pretrained layers that learn after the head",
    )
    keep: Keep | Literal["auto"] = Field(
        "best",
        description="which epoch of the phase is kept, if it is better than the phases before: the best on validation, "
        "or the last, where the learning rate arrives at zero, and whose score is not that of a lucky epoch; "
        "auto: last where the rate falls to zero, and no patience ends the phase before",
    )
    frozen_batchnorm: bool | Literal["auto"] = Field(
        False,
        description="keep all BatchNorm statistics as they are; auto: if pretrained (in your own network: if batches "
        "are small)",
    )
    augment: AugmentPolicy = Field(
        "light",
        description="none, shift, flip-rotate, light, standard or a list of transforms; auto: by epochs, weights, size",
    )
    head_solver: HeadSolver | Literal["auto"] = Field(
        "gradient",
        description="gradient: step by step; lbfgs: the exact solution for a linear head alone, with regularisation "
        "chosen on the validation split or, if that is small, by cross-validation; auto: lbfgs if possible and quick",
    )


PHASE_DEFAULTS = frozenset(PhaseSettings.model_fields) - {"name", "train"}
"""The settings of a phase that may also stand in [training], for all phases."""
