"""The section [data], with the checks of its values."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from discern.config.sections.section import Count, Fraction, Positive, Section, UserPath, list_one

Channels = tuple[Fraction, Fraction, Fraction]
Deviations = tuple[Positive, Positive, Positive]


def _check_label_pattern(text: str) -> str:
    try:
        groups = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    if "label" not in groups or not groups.keys() <= {"label", "group"}:
        raise ValueError(
            f"{text!r} has {', '.join(groups) or 'no named groups'}; expected (?P<label>...), which is the label, and "
            "perhaps (?P<group>...)"
        )
    return text


class DataSettings(Section):
    """Where labels come from, and how pictures are split, read and resized."""

    image_column: str | None = Field(None, description="CSV column with the file names or ids; guessed if not given")
    label_column: str | None = Field(None, description="CSV column with the labels; guessed if not given")
    label_pattern: Annotated[str, AfterValidator(_check_label_pattern)] | None = Field(
        None,
        description="regular expression for the names of pictures, without extension, that finds their labels: "
        r"'(?P<label>.+)_\d+' in red_1.png, '(?P<label>[^/]+)/.+' in red/1.png; (?P<group>...) finds groups",
    )
    image_root: UserPath | None = Field(None, description="folder or archive that file names in a CSV are relative to")
    image_suffix: str | None = Field(None, description="extension to add to ids, such as '.jpg'")
    split_column: str | None = Field(
        None,
        description="CSV column with words for train, validation and test, or yes and no (is_test); found by what it "
        "holds if not given; none: no column says it",
    )
    group_column: str | None = Field(None, description="CSV column of groups; all rows of a group go to the same split")
    split: tuple[Fraction, Fraction, Fraction] = Field(
        (0.7, 0.15, 0.15), description="fractions for train, validation and test, used if the data are not split yet"
    )
    split_file: UserPath | None = Field(None, description="split.csv of an earlier run, whose split is used again")
    group_duplicates: bool = Field(True, description="all copies of a photo go to the same split")
    fixes: Annotated[tuple[UserPath, ...], BeforeValidator(list_one)] = Field(
        (), description="fixes.csv of an audit or overrides.csv of a review: pictures to drop, relabel or group"
    )
    audit: Literal["quick", "full", "off"] = Field(
        "quick", description="problems to look for in the pictures before training; full: label errors too"
    )
    image_size: Annotated[int, Field(ge=8, le=4096)] | Literal["auto"] = Field(
        "auto", description="side of the square that the network sees, in pixels"
    )
    fit: Literal["crop", "pad", "squash", "auto"] = Field(
        "squash",
        description="how a picture is made square; auto: crop or squash, whichever is better in a linear probe",
    )
    mean: Channels | None = Field(
        None, description="mean of red, green and blue (0 to 1) that pictures are normalised with; the backbone's own"
    )
    std: Deviations | None = Field(None, description="standard deviation of red, green and blue (0 to 1), likewise")
    verify: Literal["header", "full"] = Field(
        "header",
        description="how much of every file is decoded before training; data.audit, data.group_duplicates and "
        "data.on_bad=skip need the full file in any case",
    )
    on_bad: Literal["error", "skip"] = Field(
        "error", description="error: stop if files cannot be used; skip: leave them out"
    )
    depth_range: tuple[float, float] | Literal["measured"] | None = Field(
        None,
        description="values that become black and white in pictures of more than 8 bits, such as [0, 4095]; measured: "
        "those that the pictures use; without it [0, 65535] for whole numbers",
    )
    missing_labels: Literal["refuse", "drop", "keep"] = Field(
        "refuse",
        description="refuse: stop if pictures have no label; drop: leave them out; keep: the text nan in a table is a "
        "class, and others without a label stop",
    )
    max_pixels: Count = Field(100_000_000, description="larger pictures are refused without being decoded")
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = Field("auto", description="loader processes")
    cache: Literal["auto", "memory", "disk", "off"] = Field(
        "auto", description="where decoded pictures are kept between epochs"
    )

    @model_validator(mode="after")
    def _check_values_together(self) -> Self:
        if self.label_column is not None and self.label_pattern is not None:
            raise ValueError("label_column and label_pattern both say what the label is; set one of them")
        if isinstance(self.depth_range, tuple) and not self.depth_range[0] < self.depth_range[1]:
            raise ValueError("depth_range must be two numbers, the lower one first")
        if abs(sum(self.split) - 1) > 1e-6 or self.split[0] == 0:
            raise ValueError("the fractions for train, validation and test must add up to 1, with train above 0")
        return self
