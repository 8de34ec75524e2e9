import logging

import pytest
import torch
from torch import nn

from discern.data.reading.loaders import Batch
from discern.engine.forward import evaluating, predict_logits
from discern.runtime import choose_runtime


class SmallMemory(nn.Module):
    """A network that takes so many pictures at once, and else fails as torch does on a CPU."""

    def __init__(self, limit):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
        self.limit = limit

    def forward(self, images):
        if len(images) > self.limit:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return self.layers(images)


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    return [
        Batch(torch.randn(size, 3, 4, 4, generator=generator), torch.arange(size) % 3, first + torch.arange(size))
        for first, size in ((0, 7), (7, 8), (15, 1))
    ]


def predict(network, batches):
    return predict_logits(network, batches, lambda images: images, choose_runtime(device="cpu", precision="fp32"))


def test_pictures_that_do_not_fit_at_once_are_predicted_in_parts(batches, caplog):
    network = SmallMemory(limit=100)
    expected, averages = predict(network, batches)
    network.limit = 3
    with caplog.at_level(logging.WARNING, "discern"):
        logits, in_parts = predict(network, batches)
    torch.testing.assert_close(logits, expected)
    assert in_parts.accuracy == averages.accuracy
    assert "out of memory with 7 pictures at once" in caplog.text
    network.limit = 0
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        predict(network, batches)


def test_every_module_comes_back_in_its_own_mode():
    network = SmallMemory(limit=1).train()
    network.layers[1].eval()
    before = [module.training for module in network.modules()]
    with evaluating(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == before


def test_logits_come_in_the_order_of_rows_and_unlabelled_pictures_do_not_count(batches):
    network = SmallMemory(limit=100)
    expected, _ = predict(network, batches)
    unlabelled = batches[0]._replace(targets=torch.full((7,), -1))
    logits, averages = predict(network, [batches[2], batches[1], unlabelled])
    torch.testing.assert_close(logits, expected)
    assert averages.images == 9


def test_without_acceleration_the_network_itself_is_called(batches, monkeypatch):
    network = SmallMemory(limit=100)
    expected, _ = predict(network, batches)
    monkeypatch.setattr("discern.engine.forward.accelerate_inference", lambda *_, **__: pytest.fail("accelerated"))
    plain = choose_runtime(device="cpu", precision="fp32", acceleration="off")
    assert not plain.accelerates
    calls = []
    network.register_forward_hook(lambda *_: calls.append(1))
    logits, _ = predict_logits(network, batches, lambda images: images, plain)
    assert len(calls) == len(batches)
    torch.testing.assert_close(logits, expected)
