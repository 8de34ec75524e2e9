from pathlib import Path

import pytest

from discern.data.cache.free_memory import compute_free_memory_bytes

MEMINFO = "MemTotal:  8000 kB\nMemFree:  1000 kB\nMemAvailable:  5000 kB\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def test_what_the_machine_has(tmp_path: Path) -> None:
    assert compute_free_memory_bytes(write(tmp_path, {"proc/meminfo": MEMINFO})) == 5000 * 1024


def test_unknown(tmp_path: Path) -> None:
    assert compute_free_memory_bytes(tmp_path) is None


def test_unlimited_group(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/job\n",
        "sys/fs/cgroup/job/memory.max": "max\n",
        "sys/fs/cgroup/job/memory.current": "7\n",
    }
    assert compute_free_memory_bytes(write(tmp_path, files)) == 5000 * 1024


@pytest.mark.parametrize("limited", ["job/step", "job", "."])
def test_limit_of_any_group_above(tmp_path: Path, limited: str) -> None:
    files = {
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/job/step\n",
        f"sys/fs/cgroup/{limited}/memory.max": "2000000\n",
        f"sys/fs/cgroup/{limited}/memory.current": "1500000\n",
        f"sys/fs/cgroup/{limited}/memory.stat": "anon 3\nfile 9\ninactive_file 100000\n",
    }
    assert compute_free_memory_bytes(write(tmp_path, files)) == 600_000


def test_groups_of_version_1(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "900000\n",
        "sys/fs/cgroup/memory/memory.stat": "inactive_file 7\ntotal_inactive_file 50000\n",
    }
    assert compute_free_memory_bytes(write(tmp_path, files)) == 150_000


def test_group_beyond_its_limit_has_nothing_free(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "1000\n",
        "sys/fs/cgroup/memory.current": "2000\n",
    }
    assert compute_free_memory_bytes(write(tmp_path, files)) == 0


@pytest.mark.skipif(not Path("/proc/meminfo").is_file(), reason="the system does not tell")
def test_this_machine() -> None:
    free = compute_free_memory_bytes()
    assert free is not None
    assert free > 0
