"""bundle.json: its schema, and the ranges that its values must have before any memory is taken for them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from discern.config.sections.training import Tta
from discern.data.reading.decode import DECODE_RULES, MAX_PIXELS
from discern.data.reading.deep_pixels import DepthRange
from discern.data.reading.preprocess import Preprocess
from discern.errors import BundleError, name_some, one_line
from discern.files import read_json
from discern.models.architecture import Architecture
from discern.predictor.calibration import Calibration
from discern.predictor.record import TrainingRecord

FORMAT = "discern-bundle"
FORMAT_VERSION = 2
UNSIGNED_VERSION = 1
"""Of bundles without a manifest, whose description has the checksums of its safetensors files alone."""
DESCRIPTION_FILE = "bundle.json"
MAX_IMAGE_SIZE = 4096
_MAX_PIXELS = 10**10
_MAX_CLASSES = 10**6


class Decoding(NamedTuple):
    """The limit of pixels, and the range of pictures of more than 8 bits, by which pictures are decoded."""

    max_pixels: int = MAX_PIXELS
    depth_range: DepthRange | None = None


class BundleDescription(BaseModel):
    """The schema of bundle.json; further keys are allowed."""

    format_version: int = UNSIGNED_VERSION
    discern_version: str = "of unknown version"
    class_names: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=2, max_length=_MAX_CLASSES)
    ]
    architecture: Architecture
    preprocess: dict[str, Any]
    decode: dict[str, Any]
    tta: Tta = "none"
    calibration: Calibration = Calibration()
    weights: dict[str, str]
    evidence: dict[str, str] | None = None
    feature_bank: dict[str, str] | None = None
    record: TrainingRecord | None = None

    @model_validator(mode="after")
    def _check_scales(self) -> Self:
        wanted = len(self.class_names)
        for name in ("scales", "biases"):
            found = getattr(self.calibration, name)
            if found is not None and len(found) != wanted:
                raise ValueError(f"calibration.{name} has {len(found)} numbers for {wanted} classes")
        return self

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        fitted = self.calibration
        numbers = {
            "calibration": (fitted.temperature, *(fitted.scales or ()), *(fitted.biases or ())),
            "architecture.stochastic_depth": (self.architecture.stochastic_depth,),
            "architecture.dropout": (self.architecture.dropout,),
        }
        for name, values in numbers.items():
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name} has numbers that are not finite")
        if not 0 <= self.architecture.stochastic_depth < 1:
            raise ValueError("architecture.stochastic_depth is not a share from 0 up to, not including, 1")
        return self


def read_description(path: Path) -> dict[str, Any]:
    """Return what a description says, as far as it is one of ours and of a version that can be read.

    Raises:
        BundleError: It is missing, damaged, or no such description.
    """
    if not path.is_file():
        raise BundleError(
            f"{path.parent} holds no trained classifier ({DESCRIPTION_FILE} is missing); "
            "give the folder of a complete run, or its bundle folder"
        )
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {one_line(error)}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BundleError(f"{path} is not the description of a discern bundle")
    if content.get("format_version") not in (UNSIGNED_VERSION, FORMAT_VERSION):
        raise BundleError(
            f"{path} has format version {one_line(content.get('format_version'))}; this version of discern reads "
            f"{UNSIGNED_VERSION} and {FORMAT_VERSION}. {_written_by(content)}"
        )
    return content


def check_description(content: Mapping[str, Any], path: Path) -> BundleDescription:
    """Return a description whose values have the right types and ranges.

    Raises:
        BundleError: Some have not; they are named.
    """
    try:
        description = BundleDescription.model_validate(content)
    except (ValidationError, RecursionError) as error:
        raise BundleError(
            f"{path} is not understood by this version of discern ({_list_problems(error)}). {_written_by(content)}"
        ) from None
    if len(set(description.class_names)) < len(description.class_names):
        raise BundleError(f"{path} has class names that occur twice")
    rules = {name: rule for name, rule in description.decode.items() if name != "max_pixels"}
    max_pixels = description.decode.get("max_pixels")
    if rules != DECODE_RULES or not isinstance(max_pixels, int):
        raise BundleError(
            f"{path} was made with other rules for decoding pictures than this version of discern has, so its answers "
            f"would differ. {_written_by(content)}"
        )
    if isinstance(max_pixels, bool) or not 1 <= max_pixels <= _MAX_PIXELS:
        raise BundleError(f"{path} has max_pixels {one_line(max_pixels)}; expected 1 to {_MAX_PIXELS:,}")
    return description


def load_decoding(run: Path) -> Decoding:
    """Return how the pictures of a run are decoded; by the usual rule and limit where it has no bundle to be read."""
    path = run / "bundle" / DESCRIPTION_FILE
    try:
        description = check_description(read_description(path), path)
        return Decoding(description.decode["max_pixels"], build_preprocess(description, path).depth_range)
    except BundleError:
        return Decoding()


def build_preprocess(description: BundleDescription, path: Path) -> Preprocess:
    """Return the preprocessing of a description.

    Raises:
        BundleError: A value is out of range, or not understood.
    """
    try:
        preprocess = Preprocess.from_dict(description.preprocess)
    except BundleError as error:
        raise BundleError(f"{path}: {one_line(error)}") from None
    if preprocess.image_size > MAX_IMAGE_SIZE:
        raise BundleError(
            f"{path} has image_size {one_line(preprocess.image_size)}; expected at most {MAX_IMAGE_SIZE} pixels"
        )
    if not all(0 <= value <= 1 for value in preprocess.mean):
        raise BundleError(f"{path} has the mean {preprocess.mean}; expected three numbers from 0 to 1")
    if not all(value > 0 and math.isfinite(value) for value in preprocess.std):
        raise BundleError(f"{path} has the std {preprocess.std}; expected three finite numbers above 0")
    return preprocess


def _list_problems(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    problems = [f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors(include_input=False)]
    return name_some(list(map(one_line, problems)))


def _written_by(description: Mapping[str, Any]) -> str:
    writer = one_line(description.get("discern_version", "of unknown version"))
    return f"It was written by discern {writer}; use that version"
