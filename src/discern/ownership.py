"""One owner at a time for a folder that a command writes to."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from discern.errors import OUT, RunFolderError
from discern.files import explain_write_error

if sys.platform != "win32":
    import fcntl

LOCK_FILE = ".lock"

_MOST_BYTES = 10_000

_open_locks: dict[int, Path] = {}


class Owner(BaseModel):
    """What a lock file says of the process that owns its folder.

    `boot` is of the machine's last start, and `started` of the process (in ticks since then), "" where the system does
    not say; together they tell a process from a later one with the same number.
    """

    model_config = ConfigDict(extra="ignore")

    task: str
    process: int
    host: str
    boot: str
    started: str
    since: str

    def describe(self) -> str:
        """Return who it is, as text."""
        return f"{self.task}, process {self.process} on {self.host} since {self.since}"


@contextmanager
def owning(folder: Path, task: str) -> Iterator[None]:
    """Own a folder, which is made if it does not exist, until the block ends.

    The file `.lock` in it says who owns it. The system keeps it locked for as long as the process lives, so a process
    that was killed leaves a file, but no lock. Where disks have no such locks, or are shared by machines, the file
    decides. A folder that was made and stays empty is removed again.

    Args:
        folder: The folder.
        task: What the process does with it, for the message that others get: "discern train".

    Raises:
        RunFolderError: Another process owns it, or may do so; or `folder` is a file.
        WriteError: Nothing can be written there.
    """
    try:
        made = _make_folder(folder)
        handle = _claim(folder / LOCK_FILE, task)
    except OSError as error:
        raise explain_write_error(error, folder) from error
    try:
        yield
    finally:
        # Before the lock is given up, so that no one can take a file that is about to go.
        with suppress(OSError):
            (folder / LOCK_FILE).unlink()
        _open_locks.pop(handle, None)
        os.close(handle)
        for place in made:
            with suppress(OSError):  # it is in use
                place.rmdir()


def check_owned(folder: Path) -> None:
    """Check that a folder that this process owns was not removed meanwhile, perhaps to make another in its place.

    Raises:
        RunFolderError: It was.
    """
    path = folder / LOCK_FILE
    if any(place == path and not _is_same_file(handle, path) for handle, place in _open_locks.items()):
        raise RunFolderError(
            f"{folder} was removed, or the file {LOCK_FILE} in it, while this process wrote to it; nothing more is "
            "written. Run the same command again"
        )


def find_owner(folder: Path) -> Owner | None:
    """Return the process that owns a folder; None where there is none, or its process has ended.

    Nothing is locked to find out, which would be in the way of a process that is about to begin.
    """
    try:
        owner = Owner.model_validate_json((folder / LOCK_FILE).read_bytes()[:_MOST_BYTES])
    except (OSError, ValidationError):
        return None
    return owner if _may_live(owner, is_locked=False) else None


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder; return what was made, the innermost first."""
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder} is a file; ", OUT, " needs a folder")
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _claim(path: Path, task: str) -> int:
    """Return the open and locked lock file, with this process in it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            is_locked = _lock(handle)
            if not _is_same_file(handle, path):  # its owner removed it meanwhile
                os.close(handle)
                continue
            owner = _read(handle)
            if is_locked is False or (owner is not None and _may_live(owner, is_locked=is_locked is True)):
                raise RunFolderError(_describe_use(path, owner), OUT)
            os.ftruncate(handle, 0)
            os.pwrite(handle, _describe_self(task).model_dump_json(indent=2).encode(), 0)
        except BaseException:
            with suppress(OSError):
                os.close(handle)
            raise
        _open_locks[handle] = path
        return handle


def _lock(handle: int) -> bool | None:
    """Lock a file; return whether that could be done, None where the disk or the system has no locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _read(handle: int) -> Owner | None:
    """Return the last owner; None for a new file, and one that was never finished."""
    try:
        return Owner.model_validate_json(os.pread(handle, _MOST_BYTES, 0))
    except ValidationError:
        return None


def _may_live(owner: Owner, *, is_locked: bool) -> bool:
    """Return whether an owner may still be at work, although its file may not be locked."""
    ours = _describe_self("")
    if owner.boot == ours.boot and (ours.boot or owner.host == ours.host):
        return not is_locked and _find_start(owner.process) == owner.started
    # A machine that was started again has none of its processes left; of other machines nothing is known here.
    return owner.host != ours.host


def _describe_self(task: str) -> Owner:
    return Owner(
        task=task,
        process=os.getpid(),
        host=platform.node(),
        boot=_read_boot(),
        started=_find_start(os.getpid()) or "",
        since=datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
    )


def _read_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _find_start(process: int) -> str | None:
    """Return when a process was started; "" for one that lives on a system that does not say it, None for no process.

    Elsewhere than on POSIX there is no way to ask without ending it, so that it may live.
    """
    if os.name != "posix":
        return ""
    try:
        os.kill(process, 0)
        facts = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        # The name of the program is in brackets, and may have any characters.
        return facts.rpartition(")")[2].split()[19]
    except (ProcessLookupError, OverflowError):
        return None
    except (OSError, IndexError):
        return ""


def _describe_use(path: Path, owner: Owner | None) -> str:
    folder = path.parent
    if owner is None:
        return f"{folder} is in use by another process; wait until it ends, or give another "
    if owner.host == platform.node():
        return (
            f"{folder} is in use by {owner.describe()}; wait until it ends, stop it (kill {owner.process}), or give "
            "another "
        )
    return (
        f"{folder} is in use by {owner.describe()}. Whether it still runs cannot be seen from here; if it does not, "
        f"remove {path} and try again, or give another "
    )


def _forget_locks() -> None:
    """Close the locks in a forked process, such as a loader, which would hold them longer than their owner lives."""
    for handle in _open_locks:
        os.close(handle)
    _open_locks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_locks)
