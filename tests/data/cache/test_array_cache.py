import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from discern.data.cache import array_cache
from discern.data.cache.array_cache import ArrayCache

MANY = 2**40


def build(folder: Path, limit_bytes: int = MANY) -> ArrayCache:
    return ArrayCache(folder / "cache", limit_bytes=limit_bytes)


def put(cache: ArrayCache, key: str, values: npt.NDArray[np.generic]) -> None:
    with cache.create(key, values.shape, values.dtype) as array:
        array[...] = values


def use_at(cache: ArrayCache, key: str, seconds: float) -> None:
    os.utime(cache.folder / f"discern-{key}.npy", (seconds, seconds))


def names(cache: ArrayCache) -> list[str]:
    return sorted(path.name for path in cache.folder.iterdir())


@pytest.mark.parametrize("dtype", [np.float32, np.uint16, np.uint8, np.int64])
@pytest.mark.parametrize("shape", [(7, 5), (3, 4, 2, 2), (1,), (0, 5)])
def test_what_was_put_in_comes_out(tmp_path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> None:
    cache = build(tmp_path)
    assert cache.open("ab12") is None
    values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    put(cache, "ab12", values)
    found = cache.open("ab12")
    assert found is not None
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)
    assert not found.flags.writeable
    assert np.array_equal(np.load(cache.folder / "discern-ab12.npy", allow_pickle=False), values)
    assert cache.open("ab13") is None


def test_nothing_is_there_before_it_is_complete(tmp_path: Path) -> None:
    cache = build(tmp_path)
    with cache.create("ab", (10,), np.uint8) as array:
        array[...] = 1
        assert cache.open("ab") is None
        assert cache.info().files == 0
    assert cache.open("ab") is not None


def test_error_while_writing_leaves_nothing(tmp_path: Path) -> None:
    cache = build(tmp_path)
    with pytest.raises(KeyboardInterrupt), cache.create("ab", (10,), np.uint8):
        raise KeyboardInterrupt
    assert names(cache) == []


def test_pending_array_is_committed_or_discarded(tmp_path: Path) -> None:
    cache = build(tmp_path)
    kept, dropped = cache.begin("aa", (4,), np.uint8), cache.begin("bb", (4,), np.uint8)
    kept.array[...] = dropped.array[...] = 3
    kept.commit()
    kept.discard()
    dropped.discard()
    assert names(cache) == ["discern-aa.npy"]
    assert kept.array.tolist() == [3] * 4


def test_full_disk_shows_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, start: int, length: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail, raising=False)
    cache = build(tmp_path)
    with pytest.raises(OSError, match="No space left"), cache.create("ab", (10,), np.uint8):
        pytest.fail("the block must not be entered")
    assert names(cache) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot allocate ahead")
def test_disk_space_is_taken_at_once(tmp_path: Path) -> None:
    pending = build(tmp_path).begin("ab", (2**20,), np.uint8)
    assert pending.path.stat().st_blocks * 512 >= 2**20
    pending.discard()


@pytest.mark.parametrize("kept", [0, 1, 60, 127, 128, 500, 1128, 1135])
def test_truncated_file_is_missing_and_removed(tmp_path: Path, kept: int) -> None:
    cache = build(tmp_path)
    put(cache, "ab", np.ones(1000, dtype=np.uint8))
    path = cache.folder / "discern-ab.npy"
    assert path.stat().st_size == 1136
    os.truncate(path, kept)
    assert cache.open("ab") is None
    assert not path.exists()


@pytest.mark.parametrize(
    "junk", [b"nothing", b"PK\3\4zip", b"\x80\x04pickle", b"\x93NUMPY\1\0v\0{'descr': (((", b"\0" * 99]
)
def test_damaged_file_is_missing_and_removed(tmp_path: Path, junk: bytes) -> None:
    cache = build(tmp_path)
    put(cache, "ab", np.ones(1000, dtype=np.uint8))
    path = cache.folder / "discern-ab.npy"
    path.write_bytes(junk + path.read_bytes()[len(junk) :])
    assert cache.open("ab") is None
    assert not path.exists()


def test_every_flipped_bit_and_a_file_under_another_key_is_found_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, rng = build(tmp_path), np.random.default_rng(0)
    path = cache.folder / "discern-ab.npy"
    for _ in range(30):
        put(cache, "ab", rng.integers(0, 256, 1000, dtype=np.uint8))
        content = bytearray(path.read_bytes())
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        caplog.clear()
        assert cache.open("ab") is None
        assert [record.getMessage() for record in caplog.records] == [
            f"a file of the cache is damaged, or of an older version; what was in it is made anew: {path}"
        ]
        assert not path.exists()
    put(cache, "ab", np.ones(1000, dtype=np.uint8))
    path.rename(cache.folder / "discern-cd.npy")
    assert cache.open("cd") is None


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    cache = build(tmp_path)
    cache.folder.mkdir()
    np.save(cache.folder / "discern-ab.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert cache.open("ab") is None


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = build(tmp_path, limit_bytes=3500)
    for age, key in enumerate(["a1", "a2", "a3"]):
        put(cache, key, np.zeros(1000, dtype=np.uint8))
        use_at(cache, key, 1000 + age)
    assert cache.info() == (3, 3 * 1136, 3500, cache.folder)
    assert cache.make_room(90)
    assert cache.info().files == 3
    assert cache.open("a1") is not None  # used now
    assert cache.make_room(1000)
    assert names(cache) == ["discern-a1.npy", "discern-a3.npy"]


def test_what_can_never_fit_removes_nothing(tmp_path: Path) -> None:
    cache = build(tmp_path, limit_bytes=2000)
    put(cache, "a1", np.zeros(1000, dtype=np.uint8))
    assert not cache.could_hold(2001)
    assert cache.could_hold(2000)
    assert not cache.make_room(2001)
    assert cache.info().files == 1
    assert cache.make_room(2000)
    assert cache.info().files == 0


def test_arrays_being_written_count_and_stay(tmp_path: Path) -> None:
    cache = build(tmp_path, limit_bytes=2000)
    with cache.create("a1", (1000,), np.uint8):
        assert cache.info().bytes == 1136
        assert not cache.make_room(1000)
        assert cache.make_room(800)
    assert cache.open("a1") is not None


def test_disk_keeps_a_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = build(tmp_path)
    put(cache, "a1", np.zeros(10_000, dtype=np.uint8))
    monkeypatch.setattr(array_cache, "compute_free_bytes", lambda folder: 2**30 + 5000)
    assert cache.make_room(500)
    assert cache.info().files == 1
    assert not cache.make_room(50_000)
    assert cache.info().files == 1
    assert cache.make_room(5000)
    assert cache.info().files == 0


def test_removed_array_stays_readable_for_whoever_has_it(tmp_path: Path) -> None:
    cache = build(tmp_path)
    put(cache, "ab", np.arange(1000))
    found = cache.open("ab")
    assert found is not None
    cache.clear()
    assert np.array_equal(found, np.arange(1000))


def test_foreign_files_survive(tmp_path: Path) -> None:
    cache = build(tmp_path, limit_bytes=5000)
    put(cache, "ab", np.zeros(1000, dtype=np.uint8))
    foreign = ["ab.npy", "discern-xy.npy", "notes.txt", ".discern-ab.tmp", "discern-ab.npy.bak"]
    for name in foreign:
        (cache.folder / name).write_bytes(b"x" * 4000)
    (cache.folder / "discern-cd.npy").mkdir()
    (cache.folder / "discern-ef.npy").symlink_to(cache.folder / "notes.txt")
    assert cache.info().bytes == 1136
    assert cache.make_room(5000)
    put(cache, "ab", np.zeros(1000, dtype=np.uint8))
    assert cache.clear() == 1136
    assert names(cache) == sorted([*foreign, "discern-cd.npy", "discern-ef.npy"])


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    cache = build(tmp_path / "deep" / "down")
    assert cache.open("ab") is None
    assert cache.info().bytes == cache.clear() == 0
    assert cache.make_room(10)
    assert not cache.folder.exists()
    put(cache, "ab", np.zeros(3))
    assert cache.info().files == 1


@pytest.mark.parametrize("key", ["", "../ab", "AB", "xyz", "a b"])
def test_keys_are_hexadecimal(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="expected hexadecimal digits"):
        build(tmp_path).open(key)


WRITING = """
import sys
from pathlib import Path
import numpy as np
from discern.data.cache.array_cache import ArrayCache
for _ in range(100):
    with ArrayCache(Path(sys.argv[1]), limit_bytes=10**9).create("ab", (5000,), np.uint8) as array:
        array[...] = int(sys.argv[2])
"""


def test_two_processes_writing_one_key(tmp_path: Path) -> None:
    cache, seen = build(tmp_path), set()
    command = [sys.executable, "-c", WRITING, str(cache.folder)]
    writers = [subprocess.Popen([*command, value]) for value in ("1", "2")]
    while any(writer.poll() is None for writer in writers):
        found = cache.open("ab")
        if found is not None:
            seen.add(tuple(np.unique(found).tolist()))
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {(1,), (2,)}
    assert names(cache) == ["discern-ab.npy"]


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from discern.data.cache.array_cache import ArrayCache
with ArrayCache(Path(sys.argv[1]), limit_bytes=10**9).create("ab", (1000,), np.uint8) as array:
    array[:500] = 1
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_process_killed_while_writing_leaves_no_array(tmp_path: Path) -> None:
    cache = build(tmp_path)
    for remove in (lambda: cache.make_room(1), lambda: cache.could_hold(1), cache.clear):
        ended = subprocess.run([sys.executable, "-c", KILLED, str(cache.folder)], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert cache.open("ab") is None
        assert len(names(cache)) == 1
        remove()
        assert names(cache) == []


def test_temporary_of_another_computer_goes_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = build(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(array_cache, "mark_host", lambda: "0" * 8)
        pending = cache.begin("ab", (10,), np.uint8)
    cache.make_room(1)
    assert pending.path.exists()
    os.utime(pending.path, (time.time() - 90_000,) * 2)
    cache.make_room(1)
    assert not pending.path.exists()
