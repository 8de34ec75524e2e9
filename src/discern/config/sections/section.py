"""What the sections of the settings share: their base class, and the kinds of values that several of them have."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the settings: frozen, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False)


Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


def make_absolute(path: Path) -> Path:
    """Make a path absolute, since an interrupted run may be resumed from another working folder."""
    return path.expanduser().absolute()


UserPath = Annotated[Path, AfterValidator(make_absolute)]


def list_one(parts: Any) -> Any:
    """Take one name for a list of one, except "all", which stands for itself."""
    return (parts,) if isinstance(parts, str) and parts != "all" else parts
