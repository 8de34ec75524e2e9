"""The cache that all runs of a user share."""

from pathlib import Path

from discern.config.sections.cache import CacheSettings
from discern.data.cache.array_cache import ArrayCache
from discern.files import discern_home


def build_cache(folder: Path | None = None, limit_gigabytes: float | None = None) -> ArrayCache:
    """Return the cache in a folder, by default DISCERN_HOME/cache, with a limit of its size."""
    if limit_gigabytes is None:
        limit_gigabytes = CacheSettings().limit_gigabytes
    return ArrayCache(folder or discern_home() / "cache", limit_bytes=int(limit_gigabytes * 1e9))
