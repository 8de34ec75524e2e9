import numpy as np
import pytest

from discern.data.cache.array_cache import ArrayCache
from discern.errors import ConfigError
from discern.workflows.train import train
from pictures import QUICK


@pytest.fixture
def cache(tmp_path):
    cache = ArrayCache(tmp_path / "cache", limit_bytes=10**9)
    with cache.create("ab", (1000, 1000), np.uint8) as array:
        array[:] = 1
    return cache


def test_the_cache_is_shown_and_cleared(run_cli, cache):
    (cache.folder / "mine.txt").write_text("not of the cache")
    code, shown, _ = run_cli("cache", "info", "--folder", cache.folder)
    assert code == 0
    assert f"{cache.folder}: 1 files, 0.00 GB of 20 GB allowed" in shown
    code, output, _ = run_cli("cache", "clear", "--folder", cache.folder)
    assert (code, output) == (0, "freed 0.00 GB\n")
    assert [path.name for path in cache.folder.iterdir()] == ["mine.txt"]


def test_a_cache_that_is_not_there_yet_is_empty(run_cli, tmp_path):
    code, shown, _ = run_cli("cache", "info", "--folder", tmp_path / "none")
    assert code == 0
    assert "0 files" in shown


def test_a_run_leaves_its_features_where_the_settings_say(photos, tmp_path):
    overrides = [*QUICK, "training.phases.*.epochs=2", f"cache.folder={tmp_path / 'kept'}"]
    train(photos, out=tmp_path / "run", recipe="transfer", overrides=overrides, verbose=False)
    assert ArrayCache(tmp_path / "kept", limit_bytes=1).info().files == 3  # train, validation, fingerprints
    assert "features of" in (tmp_path / "run" / "log.txt").read_text()


def test_batchnorm_over_processes_needs_gpus(photos, tmp_path):
    with pytest.raises(ConfigError, match=r"sync_batchnorm works on CUDA GPUs only, and the device is cpu"):
        train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, "sync_batchnorm=true"], verbose=False)
    assert not (tmp_path / "run").exists()


def test_what_was_unpacked_is_shown_and_removed(run_cli, tmp_path, monkeypatch):
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    (tmp_path / "unpacked" / "ab" / "birds.zip").mkdir(parents=True)
    (tmp_path / "unpacked" / "ab" / "birds.zip" / "1.png").write_bytes(bytes(10**7))
    assert f"{tmp_path / 'unpacked'}: 0.01 GB of unpacked pictures" in run_cli("cache")[1]
    assert run_cli("cache", "clear")[:2] == (0, "freed 0.01 GB\n")
    assert not (tmp_path / "unpacked").exists()
