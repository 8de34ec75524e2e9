"""What `auto` comes to, with its reason: nothing is decided quietly."""

import logging
from statistics import median

import numpy as np

from discern.config.settings import ModelSettings, Settings
from discern.data.decode import read_header
from discern.data.table import ImageTable
from discern.models.backbone import build_backbone

logger = logging.getLogger("discern")

_LOOKED_AT = 200
_SMALL_PICTURE = 64
_LEAST_PRETRAINED_SIZE = 96
_SIZE_STEP = 32


def resolve_choices(settings: Settings, table: ImageTable) -> tuple[Settings, dict[str, str]]:
    """Replace `auto` for stem and image size by what suits the pictures; return the reasons by setting.

    Stem: "small" for pictures up to 64 px that are learned from scratch by one of our networks, else "imagenet".
    Image size: the pictures' own with a small stem; otherwise what the backbone was pretrained at, but at most twice
    the pictures' shorter side (in steps of 32 px, and at least 96), since larger only blurs.
    """
    shorter_side = measure_shorter_side(table)
    model, stem_reason = _resolve_stem(settings.model, shorter_side)
    reasons = {"model.stem": stem_reason} if stem_reason else {}
    data = settings.data
    if data.image_size == "auto":
        size, reasons["data.image_size"] = _resolve_size(model, shorter_side)
        data = data.model_copy(update={"image_size": size})
    for name, reason in reasons.items():
        logger.info("%s: %s", name, reason)
    return settings.model_copy(update={"model": model, "data": data}), reasons


def measure_shorter_side(table: ImageTable) -> int:
    """Return the median shorter side, in pixels, of up to 200 pictures spread over the table."""
    rows = np.unique(np.linspace(0, len(table) - 1, num=min(_LOOKED_AT, len(table)), dtype=np.int64))
    return int(median(_measure(table, row) for row in rows))


def _measure(table: ImageTable, row: int) -> int:
    place = int(table.frame["array_index"].iloc[row])
    if table.arrays is not None and place >= 0:
        height, width = table.arrays[place].shape[:2]
        return min(int(height), int(width))
    header = read_header(table.frame["path"].iloc[row])
    return min(header.width_pixels, header.height_pixels)


def _resolve_stem(model: ModelSettings, shorter_side: int) -> tuple[ModelSettings, str]:
    if model.stem != "auto":
        return model, ""
    if model.weights == "none" and shorter_side <= _SMALL_PICTURE and not model.backbone.startswith("timm:"):
        return model.model_copy(update={"stem": "small"}), f"small, for pictures of {shorter_side} px from scratch"
    return model.model_copy(update={"stem": "imagenet"}), ""


def _resolve_size(model: ModelSettings, shorter_side: int) -> tuple[int, str]:
    if model.stem == "small":
        return shorter_side, f"{shorter_side}, the size of the pictures"
    native = build_backbone(model.backbone).image_size
    limit = max(_LEAST_PRETRAINED_SIZE, _SIZE_STEP * round(2 * shorter_side / _SIZE_STEP))
    if limit < native:
        return limit, f"{limit}, since the pictures are small (median shorter side {shorter_side} px)"
    return native, f"{native}, what {model.backbone} is usually trained at"
