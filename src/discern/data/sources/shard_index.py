"""What a tar shard holds: its pictures and their labels, listed once and then kept in the cache."""

import hashlib
import json
import logging
import os
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

import numpy as np

from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.supported_types import supported_extensions
from discern.data.stored_pictures import is_remote
from discern.errors import DataError, one_line

logger = logging.getLogger("discern")

_VERSION = 1
_LABEL_KINDS = ("cls", "json", "txt")
_MAX_LABEL_BYTES = 2**20
_MAX_CHARACTERS = 300
"""Of a label; a longer text is a caption, of which the beginning shows as much."""


class Sample(NamedTuple):
    """The files of a shard that share a name up to its first point: a picture, and what is said of it.

    `start` and `size_bytes` are the place of the picture in the shard; its `name` is "" where there is none. `labels`
    are texts: those of the files `.cls` and `.txt` by these names, and what the object in `.json` has by `json.` and
    its key.
    """

    key: str
    name: str
    start: int
    size_bytes: int
    labels: dict[str, str]


def list_samples_of(shard: str, cache: ArrayCache) -> list[Sample]:
    """Return the samples of a shard, in its order; one that is unchanged since it was last listed is not read again.

    Raises:
        DataError: It is no tar file, is compressed, or ends too early.
    """
    key = hashlib.sha256(repr((_VERSION, _mark(shard), supported_extensions())).encode()).hexdigest()
    kept = cache.open(key)
    if kept is not None:
        return [Sample(*row) for row in json.loads(kept.tobytes())]
    samples = _read(shard)
    content = np.frombuffer(json.dumps(samples).encode(), dtype=np.uint8)
    try:
        if cache.make_room(content.nbytes):
            with cache.create(key, content.shape, np.uint8) as array:
                array[:] = content
    except OSError as error:
        logger.warning("the list of %s could not be kept for later runs: %s", shard, error.strerror or error)
    return samples


def holds_samples(file: Path) -> bool:
    """Return whether a tar file has a label beside its first picture, unlike an archive of folders.

    In a folder, a text beside a picture may be anything.
    """
    with suppress(OSError, tarfile.TarError), tarfile.open(file, "r:") as tar:
        first = None
        for info in tar:
            key, extension = _split_name(info.name)
            first = first or (key if info.isreg() else None)
            if first is not None and key != first:
                return False
            if extension in ("cls", "json") or (extension == "txt" and "/" not in key):
                return True
    return False


def _mark(shard: str) -> object:
    """Return what changes when a shard changes."""
    if is_remote(shard):
        from fsspec.core import url_to_fs

        files, path = url_to_fs(shard)
        return shard, repr(sorted(files.info(path).items(), key=str))
    status = os.stat(shard)  # noqa: PTH116 - making a Path takes longer than asking
    return shard, status.st_size, status.st_mtime_ns


def _read(shard: str) -> list[Sample]:
    try:
        with _open(shard) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            return _gather(tar)
    except (tarfile.TarError, EOFError) as error:
        raise DataError(
            f"{shard} cannot be read as a tar file: {one_line(error)}. A compressed one has to be decompressed, since "
            "its pictures are read in any order; one that ends too early has to be copied again"
        ) from None


def _open(shard: str) -> IO[bytes]:
    if is_remote(shard):
        import fsspec

        opened: IO[bytes] = fsspec.open(shard, "rb").open()
        return opened
    return open(shard, "rb")  # noqa: PTH123 - closed by the caller


def _gather(tar: tarfile.TarFile) -> list[Sample]:
    pictures: dict[str, tuple[str, int, int]] = {}
    labels: dict[str, dict[str, str]] = {}
    extensions = tuple(extension.removeprefix(".") for extension in supported_extensions())
    for info in tar:
        tar.members = []  # type: ignore[attr-defined]  # which would grow with the shard
        key, extension = _split_name(info.name)
        if not info.isreg() or PurePosixPath(info.name).name.startswith("."):
            continue
        said = labels.setdefault(key, {})
        if extension in extensions and key not in pictures:
            pictures[key] = (info.name.removeprefix("./"), info.offset_data, info.size)
        elif extension in _LABEL_KINDS and info.size <= _MAX_LABEL_BYTES:
            content = tar.extractfile(info)
            said |= _parse_label(extension, b"" if content is None else content.read())
    return [Sample(key, *pictures.get(key, ("", 0, 0)), said) for key, said in labels.items()]


def _split_name(name: str) -> tuple[str, str]:
    """Return the key and the extension of a name, which are parted by the first point after its folders."""
    folder, slash, file = name.removeprefix("./").rpartition("/")
    stem, _, extension = file.partition(".")
    return folder + slash + stem, extension.lower()


def _parse_label(kind: str, content: bytes) -> dict[str, str]:
    text = content.decode("utf-8", "backslashreplace").strip()
    if kind != "json":
        return {kind: text[:_MAX_CHARACTERS]}
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        items: Iterable[tuple[str, object]] = found.items() if isinstance(found, dict) else [("", found)]
        return {
            f"json.{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in items
            if isinstance(value, str | int | bool) and len(str(value)) <= _MAX_CHARACTERS
        }
    return {}
