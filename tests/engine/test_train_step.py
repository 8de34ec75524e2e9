import math

import pytest
import torch
from torch import nn

from discern.data.reading.loaders import Batch
from discern.data.reading.preprocess import Preprocess
from discern.engine.forward import prepare_images
from discern.engine.loop import run_epoch
from discern.engine.mixing import build_mixing
from discern.engine.optimizers import build_optimizer, set_rate_factor
from discern.engine.train_step import TrainStep, build_cross_entropy, compute_class_weights
from discern.errors import ConfigError, TrainingError
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from discern.runtime import choose_runtime
from discern.training.averaging import WeightAverage

PREPROCESS = Preprocess(4, "squash", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture
def runtime():
    return choose_runtime(device="cpu", precision="fp32", threads=1)


def build_linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 3))


def build_batches(sizes):
    generator = torch.Generator().manual_seed(1)
    return [
        Batch(
            torch.randint(0, 256, (size, 3, 4, 4), generator=generator, dtype=torch.uint8),
            torch.randint(0, 3, (size,), generator=generator),
            torch.arange(size),
        )
        for size in sizes
    ]


def build_step(network, runtime, **options):
    optimizer = torch.optim.SGD([{"params": list(network.parameters()), "base_rate": 0.1}], lr=0.1)
    defaults = {"rate_factor": lambda epoch: 1.0, "batches_per_epoch": 4}
    return TrainStep(network, optimizer, prepare_images(PREPROCESS, runtime), runtime, **{**defaults, **options})


def test_accumulation_over_uneven_batches_equals_one_large_batch(runtime):
    batches = build_batches([4, 4, 2])
    whole = Batch(*(torch.cat(parts) for parts in zip(*batches, strict=True)))
    in_parts, at_once = build_linear(), build_linear()
    run_epoch(batches, build_step(in_parts, runtime, accumulation_steps=3))
    run_epoch([whole], build_step(at_once, runtime))
    for ours, oracle in zip(in_parts.parameters(), at_once.parameters(), strict=True):
        torch.testing.assert_close(ours, oracle)


def test_gradients_left_by_an_incomplete_group_are_used(runtime):
    batches = build_batches([4, 4, 4])
    network, oracle = build_linear(), build_linear()
    run_epoch(batches, build_step(network, runtime, accumulation_steps=2, batches_per_epoch=3))
    run_epoch(batches[:2], build_step(oracle, runtime, accumulation_steps=2, batches_per_epoch=2))
    assert not torch.equal(network[1].weight, oracle[1].weight)


def test_averages_are_over_pictures_and_not_over_batches(runtime):
    batches = build_batches([6, 1])
    network = build_linear()
    step = build_step(network, runtime, rate_factor=lambda epoch: 0.0)
    averages = run_epoch(batches, step)
    images = torch.cat([PREPROCESS.normalize(batch.images) for batch in batches])
    targets = torch.cat([batch.targets for batch in batches])
    logits = network(images)
    assert averages.loss == pytest.approx(nn.functional.cross_entropy(logits, targets).item(), rel=1e-5)
    assert averages.accuracy == pytest.approx((logits.argmax(1) == targets).float().mean().item())


def test_one_step_equals_plain_torch_with_smoothing_weights_and_clipping(runtime):
    (batch,) = build_batches([6])
    weights = torch.tensor([0.5, 2.0, 1.0])
    network, oracle = build_linear(), build_linear()
    step = build_step(
        network, runtime, loss=build_cross_entropy(class_weights=weights, label_smoothing=0.1), clip_norm=0.01
    )
    run_epoch([batch], step)
    loss = nn.functional.cross_entropy(
        oracle(PREPROCESS.normalize(batch.images)), batch.targets, weight=weights, label_smoothing=0.1, reduction="sum"
    )
    (loss / 6).backward()
    nn.utils.clip_grad_norm_(oracle.parameters(), 0.01)
    torch.optim.SGD(oracle.parameters(), lr=0.1).step()
    for ours, theirs in zip(network.parameters(), oracle.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


class SmallMemory(nn.Module):
    """A network that can take so many pictures at once, and says so as torch does; it fails on the way back, too."""

    def __init__(self, limit, error):
        super().__init__()
        self.network, self.limit, self.error = build_linear(), limit, error
        self.largest = 0

    def forward(self, images):
        logits = self.network(images)
        if len(images) > self.limit:
            logits.register_hook(self.fail)
        else:
            self.largest = max(self.largest, len(images))
        return logits

    def fail(self, gradient):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_out_of_memory_halves_what_is_computed_at_once_and_changes_nothing_else(runtime, caplog, error):
    batches = build_batches([2, 8, 8, 7])
    poor, rich = SmallMemory(3, error), build_linear()
    ours = run_epoch(batches, build_step(poor, runtime, accumulation_steps=2))
    theirs = run_epoch(batches, build_step(rich, runtime, accumulation_steps=2))
    assert ours.loss == pytest.approx(theirs.loss, rel=1e-5)
    assert (ours.accuracy, ours.images) == (theirs.accuracy, theirs.images)
    for one, other in zip(poor.network.parameters(), rich.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    assert poor.largest <= 3
    assert "out of memory with 8 pictures at once: continuing with 4; an update still uses" in caplog.text
    assert "out of memory with 4 pictures at once: continuing with 2" in caplog.text


def test_memory_for_not_even_two_pictures_is_an_error(runtime):
    with pytest.raises(TrainingError, match=r"too small even for a few pictures .* smaller data.image_size"):
        run_epoch(build_batches([8]), build_step(SmallMemory(0, torch.OutOfMemoryError()), runtime))


def test_another_error_is_not_taken_for_a_lack_of_memory(runtime):
    with pytest.raises(RuntimeError, match="something else"):
        run_epoch(build_batches([8]), build_step(SmallMemory(0, RuntimeError("something else")), runtime))


def test_a_loss_that_is_not_finite_stops_with_step_and_rate(runtime):
    network = build_linear()
    with torch.no_grad():
        network[1].weight.fill_(math.inf)
    with pytest.raises(TrainingError, match=r"the loss is nan at step 1 of epoch 1 .* learning rate 1\.00e-01"):
        run_epoch(build_batches([4]), build_step(network, runtime))


def test_mixing_gives_soft_targets_and_still_learns(runtime):
    mixing = build_mixing(3, mixup=0.4, cutmix=1.0)
    network = build_linear()
    before = network[1].weight.clone()
    averages = run_epoch(build_batches([8, 8]), build_step(network, runtime, mixing=mixing))
    assert not torch.equal(network[1].weight, before)
    assert 0 <= averages.accuracy <= 1
    images, targets = mixing(torch.rand(8, 3, 4, 4), torch.arange(8) % 3)
    assert images.shape == (8, 3, 4, 4)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(8))
    assert build_mixing(3, mixup=0, cutmix=0) is None


def test_class_weights_are_inverse_to_frequency_with_mean_one_over_pictures():
    targets = torch.tensor([0] * 6 + [1] * 3 + [2])
    weights = compute_class_weights(targets, 3)
    assert weights[targets].mean() == pytest.approx(1)
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights[2] / weights[0] == pytest.approx(6)


def test_the_average_of_weights_follows_by_its_decay():
    network = build_linear()
    average = WeightAverage(network, decay=0.5)
    average.update(network)
    start = network[1].weight.detach().clone()
    with torch.no_grad():
        network[1].weight.add_(1.0)
    average.update(network)
    # The decay has warmed up to min(0.5, 2 / 11) at the second update.
    torch.testing.assert_close(average.classifier[1].weight, start + (1 - 2 / 11))


def test_rates_fall_towards_the_stem_and_norms_and_biases_do_not_decay():
    classifier = Classifier(build_backbone("resnet18-half"), LinearHead(256, 3))
    optimizer = build_optimizer("adamw", classifier, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    groups = optimizer.param_groups
    of = {id(parameter): group for group in groups for parameter in group["params"]}
    named = dict(classifier.named_parameters())
    assert len(of) == len(named)
    assert of[id(named["backbone.network.conv1.weight"])]["base_rate"] == 0.5**9
    head_bias = next(
        group
        for name, parameter in named.items()
        if name.startswith("head") and name.endswith("bias")
        for group in [of[id(parameter)]]
    )
    assert head_bias["base_rate"] == 1.0
    assert head_bias["weight_decay"] == 0
    assert of[id(named["backbone.network.bn1.weight"])]["weight_decay"] == 0
    assert (
        of[id(named["backbone.network.layer4.1.conv1.weight"])]
        == of[id(named["backbone.network.layer4.1.conv2.weight"])]
    )
    assert of[id(named["backbone.network.layer4.1.conv1.weight"])]["weight_decay"] == 0.1


def test_muon_turns_matrices_whole_and_leaves_the_rest_to_adamw():
    classifier = Classifier(build_backbone("resnet18-half"), LinearHead(256, 5))
    optimizer = build_optimizer("muon", classifier, learning_rate=0.01, momentum=0.0)
    named = dict(classifier.named_parameters())
    before = {name: parameter.detach().clone() for name, parameter in named.items()}
    for parameter in named.values():
        parameter.grad = torch.randn_like(parameter)
    set_rate_factor(optimizer, 0.5)
    optimizer.step()
    name = "backbone.network.layer4.1.conv1.weight"
    moved = (before[name] - named[name].detach()).flatten(1)
    # All singular values are about equal, and the root mean square of the move is what AdamW's is about.
    values = torch.linalg.svdvals(moved / 0.005)
    assert values.min() > 0.5 * values.max()
    assert moved.square().mean().sqrt() == pytest.approx(0.2 * 0.005, rel=0.3)
    bias = "backbone.network.bn1.bias"
    torch.testing.assert_close((before[bias] - named[bias]).abs(), torch.full_like(before[bias], 0.005))


def test_an_unknown_optimizer_names_the_nearest():
    classifier = Classifier(build_backbone("resnet18-half"), LinearHead(256, 3))
    with pytest.raises(ConfigError, match="no optimizer 'adamv': did you mean adam or adamw"):
        build_optimizer("adamv", classifier, learning_rate=0.1)


def test_only_what_is_trainable_is_optimized():
    classifier = Classifier(build_backbone("resnet18-half"), LinearHead(256, 3))
    classifier.set_trainable(["head"])
    groups = build_optimizer("sgd", classifier, learning_rate=0.1).param_groups
    optimized = {id(parameter) for group in groups for parameter in group["params"]}
    assert optimized == {id(parameter) for parameter in classifier.head.parameters()}
