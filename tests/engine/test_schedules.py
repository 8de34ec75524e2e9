import warnings

import pytest
import torch

from discern.config.load import load_settings
from discern.config.settings import PhaseSettings
from discern.engine.schedules import Plateau, compute_rate_factor
from discern.errors import ConfigError
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from discern.training.schedule_plan import check_plan, simulate_schedule


def rates_of_torch(build, steps):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler = build(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step()
    return rates


def test_cosine_equals_torch():
    ours = [compute_rate_factor("cosine", step / 5, epochs=4) for step in range(20)]
    theirs = rates_of_torch(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20), 20)
    assert ours == pytest.approx(theirs)


def test_step_equals_torch():
    ours = [compute_rate_factor("step", epoch, epochs=15, step_epochs=5, gamma=0.1) for epoch in range(15)]
    theirs = rates_of_torch(lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.1), 15)
    assert ours == pytest.approx(theirs)


def test_one_cycle_equals_torch():
    # Torch reaches its turning points one step early, since it counts from the first step to the last.
    ours = [compute_rate_factor("one-cycle", step * 4 / 99, epochs=4) for step in range(100)]
    build = lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=100)  # noqa: E731
    assert ours == pytest.approx(rates_of_torch(build, 100), abs=0.03)


def test_plateau_equals_torch():
    losses = [1.0, 0.9, 0.91, 0.92, 0.93, 0.95, 0.89, 0.9, 0.9, 0.9, 0.9, 0.9]
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    ours = Plateau(patience=2, gamma=0.5)
    for loss in losses:
        theirs.step(loss)
        ours.observe(loss)
        assert ours.factor == pytest.approx(optimizer.param_groups[0]["lr"])
    assert ours.factor < 1


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "plateau"])
def test_warm_up_rises_to_the_full_rate(schedule):
    factors = [compute_rate_factor(schedule, step / 10, epochs=5, warmup_epochs=1, step_epochs=5) for step in range(11)]
    assert factors[0] < 0.05
    assert factors == sorted(factors)
    assert factors[-1] == pytest.approx(1)


def test_a_plan_can_be_simulated_over_its_phases():
    points = simulate_schedule(load_settings("transfer-finetune").training.phases, steps_per_epoch=10)
    assert len(points) == 25 * 10
    assert [point.phase for point in points[149:151]] == ["head", "all"]
    assert points[150].epoch == 15
    assert max(point.learning_rate for point in points) == pytest.approx(3e-3)


def test_a_plan_for_parts_that_do_not_exist_is_refused_with_those_that_do():
    phases = [PhaseSettings(name="one", train=("layer9", "head")), PhaseSettings(name="two", train=("tail",))]
    with pytest.raises(ConfigError, match=r"phase one trains 'layer9'; phase two trains 'tail'; .* are stem, layer1"):
        check_plan(phases, Classifier(build_backbone("resnet18-half"), LinearHead(256, 3)))


def test_a_phase_that_trains_nothing_is_refused():
    phases = [PhaseSettings(name="one", train=())]
    with pytest.raises(ConfigError, match="phase one trains nothing; name parts of the network in its train, or all"):
        check_plan(phases, Classifier(build_backbone("resnet18-half"), LinearHead(256, 3)))
