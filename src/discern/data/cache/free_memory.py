"""How much memory this process may still use."""

from pathlib import Path


def compute_free_memory_bytes(root: Path = Path("/")) -> int | None:
    """Return the memory that is free without swapping, within the limits of control groups; None where it is unknown.

    Memory that holds files only to read them faster counts as free. `root` is where /proc and /sys are looked for.
    """
    free = [*_free_of_machine(root), *_free_of_control_groups(root)]
    return max(0, min(free)) if free else None


def _free_of_machine(root: Path) -> list[int]:
    lines = _read_lines(root / "proc/meminfo")
    return [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]


def _free_of_control_groups(root: Path) -> list[int]:
    """Return what each limit above this process leaves, for version 1 and 2 of control groups."""
    free = []
    for line in _read_lines(root / "proc/self/cgroup"):
        _, controllers, place = line.split(":", 2)
        if controllers == "":
            mount, limit, usage, reclaimable = "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            mount, limit = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
            usage, reclaimable = "memory.usage_in_bytes", "total_inactive_file"
        else:
            continue
        inner = Path(place.lstrip("/"))
        for group in (root / mount / part for part in (inner, *inner.parents)):
            limits, usages = _read_lines(group / limit), _read_lines(group / usage)
            if limits and usages and limits[0].isdigit():
                free.append(int(limits[0]) - int(usages[0]) + _read_statistic(group / "memory.stat", reclaimable))
    return free


def _read_statistic(path: Path, name: str) -> int:
    return next((int(line.split()[1]) for line in _read_lines(path) if line.split()[:1] == [name]), 0)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
