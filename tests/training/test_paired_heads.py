"""Two heads that learn side by side: each by itself, and what is kept is their mean, a linear head like others."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from discern.data.reading.loaders import Batch
from discern.engine.train_step import TrainStep
from discern.errors import ConfigError
from discern.models.heads import LinearHead
from discern.models.paired_heads import PairedHeads
from discern.runtime import choose_runtime
from discern.training.state_loading import load_state
from fitting import SMALL, StopInEpoch, build_fit, without_time

PAIRED = [
    *SMALL,
    "model.features=covariances",
    "model.dropout=0.3",
    "training.phases.*.epochs=3",
    "training.phases.all.paired_heads=true",
]


def build_pair():
    torch.manual_seed(0)
    head = LinearHead(10, 3)
    pair = PairedHeads(head, 4)
    with torch.no_grad():
        for parameter in pair.parameters():
            parameter.add_(torch.randn_like(parameter))
    return head, pair


def test_both_begin_with_the_weights_of_the_head():
    head = LinearHead(10, 3)
    features = torch.randn(5, 10)
    on_all, on_last = PairedHeads(head, 4)(features)
    assert torch.equal(on_all, head(features))
    features[:, 4:] = 0
    torch.testing.assert_close(on_last, head(features))


def test_the_head_that_is_kept_answers_with_the_mean_of_both():
    head, pair = build_pair()
    pair.write_mean(head)
    features = torch.randn(5, 10)
    torch.testing.assert_close(head(features), pair(features).mean(dim=0))


def test_each_head_learns_the_targets_by_itself():
    _, pair = build_pair()
    network = nn.Sequential(nn.Flatten(), pair)
    batch = Batch(torch.randn(6, 10), torch.tensor([0, 1, 2, 0, 1, 2]), torch.arange(6))
    optimizer = torch.optim.SGD([{"params": list(network.parameters()), "base_rate": 1.0}], lr=1.0)
    before = [parameter.detach().clone() for parameter in pair.parameters()]
    on_all, on_last = (functional.cross_entropy(logits, batch.targets) for logits in pair(batch.images))
    expected = torch.autograd.grad(on_all + on_last, list(pair.parameters()))
    mean = pair(batch.images).mean(dim=0).detach()
    step = TrainStep(
        network,
        optimizer,
        lambda inputs: inputs,
        choose_runtime(device="cpu", precision="fp32", threads=1),
        rate_factor=lambda _: 1.0,
        batches_per_epoch=1,
    )
    result = step(batch)
    for parameter, old, gradient in zip(pair.parameters(), before, expected, strict=True):
        torch.testing.assert_close(parameter.detach(), old - gradient)
    torch.testing.assert_close(result.loss_sum, functional.cross_entropy(mean, batch.targets, reduction="sum"))
    assert result.correct == (mean.argmax(dim=1) == batch.targets).sum()


def test_what_is_trained_has_a_linear_head_that_differs_from_one_that_learns_alone(table):
    fit = build_fit(table, "transfer-finetune", PAIRED)
    fit.run()
    assert isinstance(fit.classifier.head, LinearHead)
    alone = build_fit(table, "transfer-finetune", [*PAIRED, "training.phases.all.paired_heads=false"])
    alone.run()
    assert fit.classifier.state_dict().keys() == alone.classifier.state_dict().keys()
    first, later = (without_time(one.rows) for one in (fit, alone))
    assert first[:3] == later[:3]
    assert first[3:] != later[3:]


@pytest.mark.parametrize("more", [[], ["training.ema_decay=0.9"]])
def test_a_resumed_training_equals_the_uninterrupted_one(table, tmp_path, more):
    whole = build_fit(table, "transfer-finetune", [*PAIRED, *more])
    expected = whole.run()
    with pytest.raises(KeyboardInterrupt):
        build_fit(table, "transfer-finetune", [*PAIRED, *more], tmp_path, [StopInEpoch(5)]).run()
    resumed = build_fit(table, "transfer-finetune", [*PAIRED, *more], tmp_path)
    result = resumed.run(load_state(tmp_path))
    assert without_time(result.rows) == without_time(expected.rows)
    for (name, ours), theirs in zip(
        resumed.classifier.state_dict().items(), whole.classifier.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def test_a_head_that_reads_the_last_map_alone_is_not_paired(table):
    with pytest.raises(ConfigError) as caught:
        build_fit(table, "transfer-finetune", [*PAIRED, "model.features=last"])
    assert str(caught.value) == (
        "phase all has paired_heads, of which one reads more than the last feature map; it needs "
        "model.features=covariances (or stages) and model.head=linear"
    )
