"""How GPUs are chosen, with torch's answers about them made up."""

import pytest
import torch

from discern.errors import ConfigError
from discern.processes import Processes
from discern.runtime import choose_runtime


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)


def test_alone_the_first_gpu_is_taken(gpus):
    runtime = choose_runtime()
    assert (runtime.device, runtime.precision) == (torch.device("cuda", 0), "bf16")
    assert "GPU 0" in runtime.describe()


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_each_process_takes_the_gpu_of_its_number(gpus, device):
    runtime = choose_runtime(device=device, processes=Processes(3, 4, 1, 2))
    assert runtime.device == torch.device("cuda", 1)


def test_a_gpu_that_is_named_is_taken(gpus):
    assert choose_runtime(device="cuda:1").device == torch.device("cuda", 1)


def test_more_processes_than_gpus_are_refused(gpus):
    with pytest.raises(ConfigError, match=r"4 processes were started on this machine, which has 2 GPUs; start one"):
        choose_runtime(processes=Processes(2, 4, 2, 4))


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_several_processes_cannot_share_one_named_gpu(gpus, device):
    with pytest.raises(ConfigError, match=rf"run.device={device} cannot be used by 2 processes; use cuda"):
        choose_runtime(device=device, processes=Processes(0, 2, 0, 2))
