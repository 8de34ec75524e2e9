import warnings

import pytest
import torch

from discern.config.sections.phase import PhaseSettings
from discern.engine.schedules import SCHEDULES, Plateau, compute_rate_factor, register_schedule
from discern.errors import ConfigError


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
    ours = [compute_rate_factor(step / 5, 4, PhaseSettings(schedule="cosine")) for step in range(20)]
    theirs = rates_of_torch(lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20), 20)
    assert ours == pytest.approx(theirs)


def test_step_equals_torch():
    ours = [
        compute_rate_factor(epoch, 15, PhaseSettings(schedule="step", step_epochs=5, gamma=0.1)) for epoch in range(15)
    ]
    theirs = rates_of_torch(lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.1), 15)
    assert ours == pytest.approx(theirs)


def test_one_cycle_equals_torch():
    # Torch reaches its turning points one step early, since it counts from the first step to the last.
    ours = [compute_rate_factor(step * 4 / 99, 4, PhaseSettings(schedule="one-cycle")) for step in range(100)]
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
    factors = [
        compute_rate_factor(step / 10, 5, PhaseSettings(schedule=schedule, warmup_epochs=1, step_epochs=5))
        for step in range(11)
    ]
    assert factors[0] < 0.05
    assert factors == sorted(factors)
    assert factors[-1] == pytest.approx(1)


def test_a_schedule_of_the_users_own_is_found_by_its_name_and_a_wrong_name_suggests_the_nearest():
    @register_schedule("halving")
    def halve(epoch, length, options):
        return 0.5 ** int(epoch)

    try:
        assert compute_rate_factor(3.5, 5, PhaseSettings(schedule="halving")) == 0.125
        with pytest.raises(ConfigError, match="no schedule 'halvin': did you mean halving"):
            compute_rate_factor(0, 5, PhaseSettings(schedule="halvin"))
    finally:
        del SCHEDULES._entries["halving"]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_gives_a_share_of_the_rate(schedule):
    factors = [
        compute_rate_factor(step / 10, 5, PhaseSettings(schedule=schedule, warmup_epochs=1)) for step in range(50)
    ]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) > 0.5
