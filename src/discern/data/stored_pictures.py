"""Where a picture is stored: in a file of its own, or in a tar file, between other pictures.

The path of one in a tar file, `shards/train-007.tar@1536+34567/cat_1.jpg`, says from which byte on it lies there and
how many bytes it has. So any process reads it at once, in any order, without a list of what the tar file holds.
"""

import os
import re
import stat
import tarfile
from pathlib import Path
from typing import NamedTuple

from discern.errors import BadImageError

_MEMBER = re.compile(r"(?P<tar>.+\.tar)@(?P<start>[0-9]+)\+(?P<size>[0-9]+)[/\\](?P<name>.+)", re.DOTALL)
_MARK = ".tar@"
_MAX_HEADER_NAME = 100
"""Bytes of a name in the block before a file; a longer one lies further ahead."""


class Member(NamedTuple):
    """A file inside a tar file: its first byte there, its bytes and its name; `tar` is a path or an address."""

    tar: str
    start: int
    size_bytes: int
    name: str

    @property
    def path(self) -> str:
        """The path by which the picture is known."""
        return f"{self.tar}@{self.start}+{self.size_bytes}/{self.name}"


class StoredFile(NamedTuple):
    """The size of a picture's file, and when it, or the tar file that has it, was last changed."""

    size_bytes: int
    mtime_ns: int


def find_member(path: str | Path) -> Member | None:
    """Return the place in a tar file that a path means, None for a file of its own."""
    found = _MEMBER.fullmatch(str(path)) if _MARK in str(path) else None
    return None if found is None else Member(found["tar"], int(found["start"]), int(found["size"]), found["name"])


def is_remote(place: str | Path) -> bool:
    """Return whether a place is an address that fsspec reads, such as `s3://bucket/train-000.tar`."""
    return "://" in str(place)


def read_member(member: Member) -> bytes:
    """Return the bytes of a file inside a tar file.

    Raises:
        BadImageError: Something else is there by now.
        OSError: The tar file cannot be read.
    """
    start, end = member.start - tarfile.BLOCKSIZE, member.start + member.size_bytes
    content = _read_remote(member.tar, start, end) if is_remote(member.tar) else _read_local(member.tar, start, end)
    if len(content) != end - start or not _is_header_of(content[: tarfile.BLOCKSIZE], member):
        raise BadImageError(
            member.path, f"{member.tar} has changed since its pictures were listed; run the command again"
        )
    return content[tarfile.BLOCKSIZE :]


def stat_picture(path: str) -> StoredFile:
    """Return size and time of change of a picture's file.

    Raises:
        OSError: There is none.
        ValueError: The path is none.
    """
    member = find_member(path)
    if member is not None and is_remote(member.tar):
        return StoredFile(member.size_bytes, 0)
    status = os.stat(path if member is None else member.tar)  # noqa: PTH116 - making a Path takes longer than asking
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(path)
    return StoredFile(status.st_size if member is None else member.size_bytes, status.st_mtime_ns)


def is_picture_there(path: str) -> bool:
    """Return whether there is a file at the path of a picture."""
    try:
        stat_picture(path)
    except (OSError, ValueError):
        return False
    return True


def _read_local(path: str, start: int, end: int) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - making a Path takes longer than opening
        file.seek(start)
        return file.read(end - start)


def _read_remote(address: str, start: int, end: int) -> bytes:
    from fsspec.core import url_to_fs

    files, path = url_to_fs(address)  # which is kept by fsspec, for each process its own
    content: bytes = files.cat_file(path, start=start, end=end)
    return content


def _is_header_of(block: bytes, member: Member) -> bool:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    is_long = len(member.name.encode("utf-8", "surrogateescape")) > _MAX_HEADER_NAME
    return header.size == member.size_bytes and (is_long or header.name.removeprefix("./") == member.name)
