"""Plans how pictures are read: preprocessing, loader processes, and where decoded pictures are kept between epochs."""

from collections.abc import Sequence

from discern.config.sections.data import DataSettings
from discern.config.settings import Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.cache_choice import choose_picture_cache
from discern.data.reading.augment import build_augment
from discern.data.reading.deep_pixels import DepthRange
from discern.data.reading.loaders import choose_workers
from discern.data.reading.preprocess import Fit, Preprocess, scale_size
from discern.data.table import ImageTable
from discern.models.backbone import Backbone
from discern.planning.plan import CUSTOM_AUGMENT, PhasePlan, ReadingPlan
from discern.planning.sizes import find_shorter_side
from discern.runtime import Runtime


def plan_preprocess(
    settings: DataSettings, size: int, fit: Fit, backbone: Backbone, depth_range: DepthRange | None
) -> Preprocess:
    """Return the preprocessing for a side in pixels, normalised as the settings say or as the backbone was trained."""
    return Preprocess(size, fit, settings.mean or backbone.mean, settings.std or backbone.std, depth_range)


def plan_reading(settings: Settings, images: int, cache: ArrayCache, runtime: Runtime) -> ReadingPlan:
    """Return how pictures are read; `images` is the number of training pictures."""
    workers = choose_workers(
        settings.data.workers, images, runtime.device.type, num_ranks=runtime.processes.local_count
    )
    return ReadingPlan(
        workers=workers,
        max_pixels=settings.data.max_pixels,
        folder=cache.folder,
        limit_gigabytes=settings.cache.limit_gigabytes,
    )


def plan_picture_cache(
    phase: PhasePlan,
    settings: Settings,
    table: ImageTable,
    sides: Sequence[tuple[int, int]],
    image_size: int,
    reading: ReadingPlan,
    runtime: Runtime,
) -> tuple[PhasePlan, str | None]:
    """Return the phase with the place for its decoded pictures between epochs, and the reason.

    Raises:
        ConfigError: The requested place has no room, or the augmentation is unknown.
    """
    reads = phase.views or phase.epochs
    if reads < 2:
        return phase, None
    # Each of several processes would fill its own cache with its own part of an epoch.
    is_alone = runtime.processes.count == 1 or settings.data.cache != "auto"
    size = scale_size(image_size, phase.image_scale)
    choice, reason = choose_picture_cache(
        settings.data.cache if is_alone else "off",
        num_images=len(table.select("train")) + len(table.select("validation")),
        canvas_size=size if phase.augment == CUSTOM_AUGMENT else build_augment(phase.augment, size).canvas_size,
        epochs=reads,
        workers=reading.workers,
        folder=reading.folder,
        limit_bytes=int(reading.limit_gigabytes * 1e9),
        in_memory=table.arrays is not None,
        picture_pixels=find_shorter_side(sides) ** 2,
        num_ranks=runtime.processes.local_count,
    )
    return phase.model_copy(update={"picture_cache": choice}), f"{choice} ({reason})"
