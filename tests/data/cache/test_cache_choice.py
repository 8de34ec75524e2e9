from pathlib import Path
from typing import Literal

import pytest

from discern.data.cache import array_cache, cache_choice
from discern.data.cache.cache_choice import CacheChoice, choose_picture_cache
from discern.errors import ConfigError

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A machine whose free space can be set."""
    sizes = {"memory": 16 * GIB, "shm": 8 * GIB, "disk": 100 * GIB}

    def free_bytes(folder: Path) -> int:
        return sizes["shm" if folder == Path("/dev/shm") else "disk"]

    monkeypatch.setattr(cache_choice, "compute_free_memory_bytes", lambda: sizes["memory"])
    monkeypatch.setattr(cache_choice, "compute_free_bytes", free_bytes)
    monkeypatch.setattr(array_cache, "compute_free_bytes", free_bytes)
    return sizes


def choose(
    setting: Literal["auto", "memory", "disk", "off"] = "auto",
    *,
    num_images: int = 1000,
    epochs: int = 10,
    workers: int = 0,
    limit_bytes: int = 20 * GIB,
    in_memory: bool = False,
    picture_pixels: int | None = 2_000_000,
    num_ranks: int = 1,
) -> CacheChoice:
    return choose_picture_cache(
        setting,
        num_images=num_images,
        canvas_size=280,
        epochs=epochs,
        workers=workers,
        folder=Path("/nowhere/cache"),
        limit_bytes=limit_bytes,
        in_memory=in_memory,
        picture_pixels=picture_pixels,
        num_ranks=num_ranks,
    )


def test_few_pictures_are_kept_in_memory() -> None:
    reason = "1,000 pictures of 280 x 280 take 224.3 MiB, there are 16.0 GiB of free memory"
    assert choose() == ("memory", reason)
    assert choose(picture_pixels=None).choice == "memory"


def test_many_pictures_are_kept_on_disk() -> None:
    reason = "30,000 pictures of 280 x 280 take 6.6 GiB, more than a quarter of the 16.0 GiB of free memory"
    assert choose(num_images=30_000) == ("disk", reason)


def test_processes_share_what_shared_memory_there_is(machine: dict[str, int]) -> None:
    assert choose(num_images=15_000).choice == "memory"
    machine["shm"] = 4 * GIB
    found = choose(num_images=15_000, workers=2)
    assert found.choice == ("disk" if Path("/dev/shm").is_dir() else "memory")


def test_every_training_process_needs_its_own() -> None:
    assert choose(num_images=15_000).choice == "memory"
    assert choose(num_images=15_000, num_ranks=2).choice == "disk"


@pytest.mark.parametrize(("what", "size"), [("disk", 3 * GIB), ("limit", 3 * GIB)])
def test_too_many_pictures_are_not_kept(machine: dict[str, int], what: str, size: int) -> None:
    machine["disk"] = size if what == "disk" else machine["disk"]
    found = choose(num_images=30_000, limit_bytes=size if what == "limit" else 20 * GIB)
    assert found.choice == "off"
    assert "take 6.6 GiB" in found.reason
    assert "16.0 GiB of free memory" in found.reason
    assert f"{machine['disk'] / GIB:.1f} GiB free on the disk" in found.reason


@pytest.mark.parametrize("setting", ["auto", "memory", "disk"])
def test_pictures_in_memory_are_not_kept_again(setting: Literal["auto", "memory", "disk"]) -> None:
    assert choose(setting, in_memory=True) == ("off", "the pictures are in memory already")


def test_auto_keeps_nothing_that_is_read_once() -> None:
    assert choose(epochs=1) == ("off", "pictures are read only once")
    assert choose("disk", epochs=1).choice == "disk"


def test_auto_never_keeps_on_disk_what_is_smaller_there_already() -> None:
    assert choose(picture_pixels=280 * 280).choice == "memory"
    found = choose(num_images=30_000, picture_pixels=280 * 280)
    assert found.choice == "off"
    assert found.reason.endswith("more than a quarter of the 16.0 GiB of free memory; the files are smaller")
    assert choose(num_images=30_000, picture_pixels=280 * 280 + 1).choice == "disk"
    assert choose("disk", num_images=30_000, picture_pixels=280 * 280).choice == "disk"


def test_off_is_off() -> None:
    assert choose("off") == ("off", "as set")


def test_unknown_memory_is_not_trusted_by_auto(machine: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_choice, "compute_free_memory_bytes", lambda: None)
    assert choose().choice == "disk"
    assert choose("memory").choice == "memory"


def test_what_is_asked_for_is_given_where_it_fits() -> None:
    assert choose("memory", num_images=50_000) == ("memory", "as set; 50,000 pictures of 280 x 280 take 11.0 GiB")
    assert choose("disk") == ("disk", "as set; 1,000 pictures of 280 x 280 take 224.3 MiB")


def test_what_is_asked_for_and_does_not_fit_is_an_error() -> None:
    message = r"data.cache=memory has no room: 100,000 .* take 21.9 GiB, there are 16.0 GiB of free memory. Use data.c"
    with pytest.raises(ConfigError, match=message):
        choose("memory", num_images=100_000)
    message = (
        r"data.cache=disk has no room: .* take 21.9 GiB, there are 100.0 GiB free on the disk and a limit of 20.0 GiB"
    )
    with pytest.raises(ConfigError, match=message):
        choose("disk", num_images=100_000)
