"""What a plan comes to by the number of pictures and the weights."""

import pytest

from discern.config.load import load_settings
from discern.planning.phases import PlanFacts, choose_epochs, settle_phases


def settle(facts, overrides=()):
    return settle_phases(load_settings("auto", overrides).training.phases, facts)


def test_pretrained_weights_are_probed_and_then_fine_tuned():
    (probe, tuned), reasons = settle(PlanFacts(1000, 10))
    assert (probe.train, probe.head_solver, probe.num_epochs) == (("head",), "lbfgs", 1)
    assert (tuned.train, tuned.num_epochs, tuned.top_rate, tuned.augment) == ("all", 10, 1e-3, "light")
    assert tuned.optimizer == "adamw"
    assert reasons["fine-tune.epochs"] == "10, for 1000 training pictures and pretrained weights"
    assert set(reasons) >= {"probe.head_solver", "fine-tune.learning_rate", "fine-tune.augment"}


def test_a_network_from_scratch_has_nothing_to_probe():
    (phase,), reasons = settle(PlanFacts(1000, 10, is_pretrained=False))
    assert (phase.name, phase.num_epochs, phase.block_decay) == ("fine-tune", 14, 1)
    assert (phase.optimizer, phase.top_rate) == ("muon", 2e-3)
    assert reasons["fine-tune.optimizer"] == "muon, which learns most from scratch in few epochs"
    assert "left out, since the features of a network from scratch say nothing" in reasons["probe"]


def test_rates_from_scratch_suit_the_optimizer():
    (phase,), reasons = settle(PlanFacts(1000, 10, is_pretrained=False), ["training.phases.fine-tune.optimizer=adamw"])
    assert (phase.optimizer, phase.top_rate) == ("adamw", 1e-3)
    assert "fine-tune.optimizer" not in reasons


def test_a_head_that_cannot_be_solved_for_learns_by_steps():
    for facts in (PlanFacts(1000, 10, has_linear_head=False), PlanFacts(100_000, 10)):
        probe = settle(facts)[0][0]
        assert (probe.head_solver, probe.num_epochs, probe.top_rate) == ("gradient", 8, 3e-3)
        assert probe.optimizer == "adamw"


@pytest.mark.parametrize("is_pretrained", [True, False])
def test_the_more_pictures_the_fewer_epochs(is_pretrained):
    epochs = [choose_epochs(images, is_pretrained=is_pretrained) for images in (0, 10, 100, 1000, 10_000, 10**7)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[-1] >= 5
    assert epochs[0] <= 40


def test_only_a_head_alone_is_solved_for():
    phases = settle(PlanFacts(1000, 10), ["training.phases.*.head_solver=auto"])[0]
    assert [phase.head_solver for phase in phases] == ["lbfgs", "gradient"]
    assert settle(PlanFacts(1000, 10), ["training.phases.probe.head_solver=lbfgs"])[0][0].num_epochs == 1


def test_few_pictures_move_pretrained_weights_gently():
    assert settle(PlanFacts(100, 5))[0][1].top_rate < settle(PlanFacts(1000, 5))[0][1].top_rate


def test_what_is_set_stays():
    overrides = ["epochs=40", "augment=none", "training.phases.fine-tune.learning_rate=0.02"]
    (_, tuned), reasons = settle(PlanFacts(1000, 10), overrides)
    assert (tuned.num_epochs, tuned.top_rate, tuned.augment) == (40, 0.02, "none")
    assert set(reasons) == {"probe.head_solver", "fine-tune.optimizer", "fine-tune.layer_decay"}


def test_many_epochs_get_strong_augmentation():
    assert settle(PlanFacts(1000, 10), ["epochs=40"])[0][1].augment == "standard"


def test_from_scratch_pictures_at_their_own_size_stay_sharp():
    facts = PlanFacts(1000, 10, is_pretrained=False)
    assert settle(facts)[0][0].augment == "light"
    (phase,), reasons = settle(facts._replace(is_enlarged=True))
    assert phase.augment == "shift"
    assert "as small as these" in reasons["fine-tune.augment"]
    assert settle(PlanFacts(1000, 10, is_enlarged=True))[0][1].augment == "light"


def test_a_plan_that_is_not_settled_says_so():
    phase = load_settings("auto").training.phases[1]
    with pytest.raises(ValueError, match="the epochs of phase fine-tune are still auto"):
        _ = phase.num_epochs
    with pytest.raises(ValueError, match="the learning rate of phase fine-tune is still auto"):
        _ = phase.top_rate
    with pytest.raises(ValueError, match="the layer decay of phase fine-tune is still auto"):
        _ = phase.block_decay
