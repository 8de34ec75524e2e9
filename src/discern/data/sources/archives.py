"""Zip and tar archives: what is in them, refused where it could do harm, and unpacked."""

import gzip
import io
import logging
import lzma
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os.path import isfile  # for which a name that is too long is no error
from pathlib import Path
from typing import IO, NamedTuple

from discern.counts import count_of
from discern.data.sources.unpacked import check_room, unpack_once, unpacked_home
from discern.data.table import escape, natural_sort
from discern.errors import DataError, install_command, list_some, name_some
from discern.files import describe_bytes

logger = logging.getLogger("discern")

_ZIP = (".zip",)
_ZSTD = (".tar.zst", ".tzst")
_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz", *_ZSTD)
ARCHIVE_SUFFIXES = (*_ZIP, *_TAR)

_DRIVE = re.compile(r"[A-Za-z]:")
_LEFTOVERS = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
_BLOCK_BYTES = 4096
"""What a file takes on a disk at least."""
_MAX_RATIO = 100
_MIN_SUSPECT_BYTES = 2**30
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError),
    *(NotImplementedError, RuntimeError, UnicodeError, ValueError),
)
"""What reading an archive raises that is damaged, or packed in a way that is not known."""


class Member(NamedTuple):
    """A file in an archive: its name, its size unpacked, what it is if no plain file, and how its content is read."""

    name: str
    size_bytes: int
    obstacle: str | None
    open: Callable[[], IO[bytes]]


def is_archive(name: str) -> bool:
    """Return whether a file is an archive that is read here, by its name."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def find_archive(place: Path) -> Path | None:
    """Return the archive that a place is, or is in, such as birds.zip of birds.zip/train/labels.csv; otherwise None."""
    return next((one for one in (place, *place.parents) if is_archive(one.name) and isfile(one)), None)  # noqa: PTH113


def open_archived(place: Path) -> Path:
    """Return where a place lies as files: itself, or where its archive was unpacked, and one inside of that.

    Raises:
        DataError: The archive cannot be unpacked, or has no such place.
        WriteError: There is no room for what is in it.
    """
    archive = find_archive(place)
    if archive is None:
        return place
    folder = unpack_archive(archive)
    opened = folder / place.relative_to(archive)
    if not opened.exists() and not opened.parent.is_file():  # which a workbook is, whose sheet is named
        held = natural_sort(escape(one.name) for one in folder.iterdir())
        raise DataError(f"{place}: {archive.name} holds no such file or folder; at its top are {name_some(held)}.")
    return open_archived(opened)


def unpack_archive(archive: Path) -> Path:
    """Return the folder with the files of an archive, which is unpacked unless it has been.

    What a Mac or Windows leaves in archives is not unpacked. Names are as they were packed, in UTF-8 where they are.

    Raises:
        DataError: It is damaged, or holds what could do harm: names that lead out of the folder, links, devices, or
            far more than its size.
        WriteError: There is no room for it.
    """
    try:
        archive.open("rb").close()
    except OSError as error:
        raise DataError(f"{archive}: cannot be read: {error.strerror or error}") from error
    return unpack_once(archive, [archive], lambda folder: _unpack(archive, folder))


def _unpack(archive: Path, folder: Path) -> None:
    with _reading(archive):
        needed_bytes = _check_members(archive, _list_members(archive))
    check_room(needed_bytes)
    logger.info("unpacking %s: %s in %s", archive, describe_bytes(needed_bytes), unpacked_home())
    with _reading(archive):
        for member in _list_members(archive):
            if not _is_leftover(member.name):
                target = folder.joinpath(*_split(member.name))
                target.parent.mkdir(parents=True, exist_ok=True)
                with member.open() as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file, 2**20)


def _check_members(archive: Path, members: Iterator[Member]) -> int:
    """Return how many bytes the files take on a disk.

    Raises:
        DataError: Some could do harm; all are listed.
    """
    packed_bytes = archive.stat().st_size
    largest_bytes = max(_MIN_SUSPECT_BYTES, _MAX_RATIO * packed_bytes)
    needed_bytes, refused = 0, []
    for member in members:
        obstacle = member.obstacle or (None if _stays_inside(member.name) else "leads out of the folder")
        refused += [f"{escape(member.name)}: {obstacle}"] if obstacle else []
        needed_bytes += -(-max(member.size_bytes, 1) // _BLOCK_BYTES) * _BLOCK_BYTES
        if needed_bytes > largest_bytes:
            raise DataError(
                f"{archive}: would unpack to more than {_MAX_RATIO} times its {describe_bytes(packed_bytes)}, as "
                "archives do that are made to fill a disk. If you trust it, unpack it and give the folder."
            )
    if refused:
        count = count_of(len(refused), "entry", "entries")
        raise DataError(
            f"{archive}: {count} cannot be unpacked safely:\n{list_some(refused)}\n"
            "Unpack it where you trust it and give the folder, or pack it again with plain files only."
        )
    return needed_bytes


def _list_members(archive: Path) -> Iterator[Member]:
    """Yield what is no folder; each can be opened until the next one is asked for."""
    return _list_zip(archive) if archive.name.lower().endswith(_ZIP) else _list_tar(archive)


def _list_zip(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if not info.is_dir():
                kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
                obstacle = None if kind in (0, stat.S_IFREG) else "is a link or a device"
                if info.flag_bits & 1:
                    obstacle = "is encrypted"
                yield Member(_decode_name(info), info.file_size, obstacle, partial(opened.open, info))


def _decode_name(info: zipfile.ZipInfo) -> str:
    r"""Return the name of an entry: programs write UTF-8 without saying so, and Windows `\` between folders."""
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return name.replace("\\", "/")


def _list_tar(archive: Path) -> Iterator[Member]:
    with _open_tar(archive) as opened:
        for info in opened:
            if not info.isdir():
                obstacle = None if info.isreg() else "is a link or a device"
                yield Member(info.name, info.size, obstacle, partial(_extract, opened, info))


def _extract(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return opened.extractfile(info) or io.BytesIO()


@contextmanager
def _open_tar(archive: Path) -> Iterator[tarfile.TarFile]:
    if not archive.name.lower().endswith(_ZSTD):
        with tarfile.open(archive, "r|*") as opened:
            yield opened
        return
    try:
        from pyarrow import input_stream
    except ModuleNotFoundError:
        raise DataError(
            f"{archive}: Zstandard is unpacked by the package pyarrow: {install_command('tables')}"
        ) from None
    with input_stream(str(archive), compression="zstd") as stream, tarfile.open(fileobj=stream, mode="r|") as opened:
        yield opened


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn what a damaged archive raises into an error that says so; errors of the disk pass."""
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(
            f"{archive}: cannot be unpacked: {error}. It may not be complete: download or pack it again, or unpack it "
            "with another program and give the folder."
        ) from error


def _split(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _stays_inside(name: str) -> bool:
    return not (name.startswith("/") or _DRIVE.match(name) or ".." in name.split("/") or "\0" in name)


def _is_leftover(name: str) -> bool:
    parts = _split(name)
    return not parts or parts[0] in _LEFTOVERS or parts[-1] in _LEFTOVERS or parts[-1].startswith("._")
