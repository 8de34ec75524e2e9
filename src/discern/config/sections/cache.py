"""The section [cache]."""

from typing import Literal

from pydantic import Field

from discern.config.sections.section import Count, Positive, Section, UserPath


class CacheSettings(Section):
    """What is computed once and kept: features of frozen layers, decoded pictures."""

    features: Literal["auto", "off"] = Field(
        "auto", description="auto: compute the features of frozen layers once instead of in every epoch"
    )
    views: Count | Literal["auto"] = Field(
        "auto",
        description="augmented views per picture whose features are computed once, in place of a new view in every "
        "epoch; 1 = no augmentation; auto: 5 for a head alone, else one for every 3 epochs and at least 3",
    )
    folder: UserPath | None = Field(None, description="folder of the cache; DISCERN_HOME/cache by default")
    limit_gigabytes: Positive = Field(
        20.0, description="largest size of the folder; what was used longest ago is removed first"
    )
