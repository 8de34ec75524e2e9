"""Atomic writing of files, checksums, and unused names for folders."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

_MOST_JSON_BYTES = 2**28


def discern_home() -> Path:
    """Return the folder for files that are kept between runs: DISCERN_HOME, or .cache/discern in the user's home."""
    return Path(os.environ.get("DISCERN_HOME") or Path.home() / ".cache" / "discern").expanduser()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it is flushed to disk and renamed to `path`.

    On an error the temporary file is removed and `path` is unchanged.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise OSError(errno.ENOENT, "is a folder" if path.is_dir() else "its folder does not exist", str(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes so that `path` holds either its old content or all of the new."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


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


def write_table(table: "DataFrame", path: str | Path) -> None:
    """Write a table as CSV with six digits, atomically."""
    write_atomically(Path(path), table.to_csv(index=False, float_format="%.6g"))


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
