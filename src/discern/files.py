"""Atomic writing of files, checksums, and unused names for folders."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from discern.errors import AGAIN_OR_ELSEWHERE, WriteError
from discern.leftovers import name_unfinished, remove_leftovers

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_JSON_BYTES = 2**28


def discern_home() -> Path:
    """Return the folder for files that are kept between runs: DISCERN_HOME, or .cache/discern in the user's home."""
    return Path(os.environ.get("DISCERN_HOME") or Path.home() / ".cache" / "discern").expanduser()


@contextmanager
def replacing(path: Path, *, size_bytes: int = 0) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it is flushed to disk and renamed to `path`.

    On an error the temporary file is removed and `path` is unchanged. `size_bytes` is what the file needs, if known.
    Temporary files of processes that were killed are removed from the folder.

    Raises:
        WriteError: It cannot be written, for instance because the disk is full.
    """
    remove_leftovers(path.parent)
    temporary = name_unfinished(path)
    try:
        if path.is_dir():
            raise OSError(errno.EISDIR, "it is a folder")
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except WriteError:
        raise
    except (OSError, SafetensorError) as error:
        raise explain_write_error(error, path, size_bytes=size_bytes) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder in one that exists, unless it is there.

    Raises:
        WriteError: It cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise explain_write_error(error, folder) from error


def explain_write_error(error: OSError | SafetensorError, path: Path, *, size_bytes: int = 0) -> WriteError:
    """Return what to tell a user whose file cannot be written; `size_bytes` is what it needs, if known."""
    number = _find_number(error)
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    if number in (errno.ENOSPC, errno.EDQUOT):
        return WriteError(path, _describe_room(number, path, size_bytes), "Make room there")
    if number in (errno.EACCES, errno.EPERM):
        return WriteError(path, "you have no right to write there", "Get it", AGAIN_OR_ELSEWHERE)
    if number == errno.EROFS:
        return WriteError(path, "the disk is read-only", "Make it writable", AGAIN_OR_ELSEWHERE)
    if number == errno.EFBIG:
        needed = f" of {describe_bytes(size_bytes)}" if size_bytes else ""
        return WriteError(path, f"the system allows no file{needed} (ulimit -f)", "Raise this limit")
    if number == errno.ENOENT and not path.parent.is_dir():
        return WriteError(path, f"its folder {path.parent} does not exist, or was removed meanwhile", "Make it")
    return WriteError(path, reason[0].lower() + reason[1:], "Mend this")


def describe_bytes(size_bytes: int) -> str:
    """Return a size as text: in GiB, MiB, or below that in KiB."""
    for power, unit in ((30, "GiB"), (20, "MiB")):
        if size_bytes >= 2**power:
            return f"{size_bytes / 2**power:.1f} {unit}"
    return f"{size_bytes / 2**10:.1f} KiB"


def _find_number(error: OSError | SafetensorError) -> int | None:
    """Return the number of an error of the system, which safetensors has in its text alone."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"os error ([0-9]+)", str(error))
    return None if found is None else int(found[1])


def _describe_room(number: int, path: Path, size_bytes: int) -> str:
    what = "the disk is full" if number == errno.ENOSPC else "your share of the disk is used up"
    with suppress(OSError):
        free = describe_bytes(shutil.disk_usage(path.parent).free)
        needed = f"; it needs {describe_bytes(size_bytes)}, and" if size_bytes else ";"
        return f"{what}{needed} {free} are free"
    return what


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes so that `path` holds either its old content or all of the new."""
    encoded = content.encode() if isinstance(content, str) else content
    with replacing(path, size_bytes=len(encoded)) as temporary:
        temporary.write_bytes(encoded)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write `content` as indented JSON, atomically."""
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, *, max_bytes: int = _MOST_JSON_BYTES) -> Any:
    """Read JSON that may be damaged or made to do harm.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON, larger than `max_bytes`, or nested too deeply.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise ValueError(f"it has {size:,} bytes, and at most {max_bytes:,} are read")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_table(table: "DataFrame", path: str | Path, *, separator: str = ",") -> None:
    """Write a table as CSV with six digits, atomically."""
    write_atomically(Path(path), format_table(table, separator=separator))


def format_table(table: "DataFrame", *, separator: str = ",") -> str:
    """Return a table as CSV with six digits."""
    return table.to_csv(index=False, float_format="%.6g", sep=separator)


def compute_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_free_folder(parent: Path, name: str) -> Path:
    """Return the first of `name`, `name-2`, `name-3` ... that does not exist in `parent`."""
    folder, number = parent / name, 1
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    return folder
