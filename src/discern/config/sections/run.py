"""The section [run], with the checks of its values."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from discern.config.duration import parse_duration
from discern.config.sections.section import Count, Section
from discern.errors import ConfigError


def _check_duration(text: str) -> str:
    try:
        parse_duration(text)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return text


def _check_folds(count: int) -> int:
    if count < 2:
        raise ValueError(
            f"{count} {'fold leaves' if count == 1 else 'folds leave'} nothing to train on; give 2 or more, usually 5, "
            "or leave it out"
        )
    return count


class RunSettings(Section):
    """The machine, the seed, the time, and what is written."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(
        0, description="seed of the split and of all random choices in training"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 or mps")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the processor has instructions for it"
    )
    threads: Count | Literal["auto"] = Field("auto", description="auto: one per core that the process may use")
    budget: Annotated[str, AfterValidator(_check_duration)] | None = Field(
        None,
        description="time limit for the whole run, such as 10m; the plan is made to fit, and corrected during training",
    )
    folds: Annotated[int, AfterValidator(_check_folds)] | None = Field(
        None,
        description="train so many networks, each without another part of the pictures, and use all of them together",
    )
    evaluate_test: bool = Field(True, description="evaluate on the test split at the end; false: leave that for later")
    plots: bool = Field(True, description="draw the plots of training and evaluation")
    report: bool = Field(True, description="write report.html")
    acceleration: Literal["auto", "off"] = Field(
        "auto",
        description="auto: transform networks so that they give the same results in less time; off: plain PyTorch",
    )
    determinism: bool = Field(
        False, description="use only deterministic algorithms, so that the same run gives bit-equal results"
    )
