"""What a plan comes to by the number of pictures and the weights."""

import pytest
from pydantic import ValidationError

from discern.config.load import load_settings
from discern.planning.phases import PhaseFacts, choose_epochs, plan_phases
from discern.planning.plan import PhasePlan


def decide(facts, overrides=()):
    return plan_phases(load_settings("auto", overrides).training.phases, facts)


def test_pretrained_weights_are_probed_and_then_fine_tuned():
    (probe, tuned), reasons = decide(PhaseFacts(1000, 10))
    assert (probe.train, probe.head_solver, probe.epochs) == (("head",), "lbfgs", 1)
    assert (tuned.train, tuned.epochs, tuned.learning_rate, tuned.augment) == ("all", 10, 1e-3, "light")
    assert tuned.optimizer == "adamw"
    assert reasons["fine-tune.epochs"] == "10, for 1000 training pictures and pretrained weights"
    assert set(reasons) >= {"probe.head_solver", "fine-tune.learning_rate", "fine-tune.augment"}


def test_a_network_from_scratch_has_nothing_to_probe():
    (phase,), reasons = decide(PhaseFacts(1000, 10, is_pretrained=False))
    assert (phase.name, phase.epochs, phase.layer_decay) == ("fine-tune", 14, 1)
    assert (phase.optimizer, phase.learning_rate) == ("muon", 2e-3)
    assert reasons["fine-tune.optimizer"] == "muon, which learns the most from scratch in few epochs"
    assert "left out, since the features of a network from scratch say nothing" in reasons["probe"]


def test_rates_from_scratch_suit_the_optimizer():
    (phase,), reasons = decide(PhaseFacts(1000, 10, is_pretrained=False), ["training.phases.fine-tune.optimizer=adamw"])
    assert (phase.optimizer, phase.learning_rate) == ("adamw", 1e-3)
    assert "fine-tune.optimizer" not in reasons


def test_a_head_that_cannot_be_solved_for_learns_by_steps():
    for facts in (PhaseFacts(1000, 10, has_linear_head=False), PhaseFacts(100_000, 10)):
        probe = decide(facts)[0][0]
        assert (probe.head_solver, probe.epochs, probe.learning_rate) == ("gradient", 8, 3e-3)
        assert probe.optimizer == "adamw"


@pytest.mark.parametrize("is_pretrained", [True, False])
def test_the_more_pictures_the_fewer_epochs(is_pretrained):
    epochs = [choose_epochs(images, is_pretrained=is_pretrained) for images in (0, 10, 100, 1000, 10_000, 10**7)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[-1] >= 5
    assert epochs[0] <= 40


def test_only_a_head_alone_is_solved_for():
    phases = decide(PhaseFacts(1000, 10), ["training.phases.*.head_solver=auto"])[0]
    assert [phase.head_solver for phase in phases] == ["lbfgs", "gradient"]
    assert decide(PhaseFacts(1000, 10), ["training.phases.probe.head_solver=lbfgs"])[0][0].epochs == 1


def test_few_pictures_move_pretrained_weights_gently():
    assert decide(PhaseFacts(100, 5))[0][1].learning_rate < decide(PhaseFacts(1000, 5))[0][1].learning_rate


def test_rates_are_in_proportion_to_pretrained_weights():
    (probe, tuned), reasons = decide(PhaseFacts(1000, 10))
    assert (probe.proportional_rates, tuned.proportional_rates) == (False, True)
    assert reasons["fine-tune.proportional_rates"] == (
        "true, so that a step changes no network by a larger share than others, however small its weights are"
    )
    fine_tune = "training.phases.fine-tune"
    for overrides in ([f"{fine_tune}.learning_rate=1e-4"], [f"{fine_tune}.optimizer=sgd"]):
        (_, tuned), reasons = decide(PhaseFacts(1000, 10), overrides)
        assert not tuned.proportional_rates
        assert "fine-tune.proportional_rates" not in reasons
    asked = [f"{fine_tune}.learning_rate=1e-4", f"{fine_tune}.proportional_rates=true"]
    assert decide(PhaseFacts(1000, 10), asked)[0][1].proportional_rates
    assert not decide(PhaseFacts(1000, 10, is_pretrained=False))[0][0].proportional_rates
    assert not decide(PhaseFacts(1000, 10, is_own_network=True))[0][1].proportional_rates


def test_heads_are_paired_where_they_read_more_and_layers_below_learn():
    facts = PhaseFacts(1000, 10, reads_more=True)
    (probe, tuned), reasons = decide(facts)
    assert (probe.paired_heads, tuned.paired_heads) == (False, True)
    assert reasons["fine-tune.paired_heads"] == (
        "true, since a head on many features alone would leave the layers below it little to learn"
    )
    assert not decide(facts, ["training.phases.fine-tune.paired_heads=false"])[0][1].paired_heads
    assert not decide(facts._replace(has_linear_head=False))[0][1].paired_heads
    assert not decide(facts._replace(reads_more=False))[0][1].paired_heads


def test_pretrained_weights_keep_a_share_where_they_learn_after_the_head():
    (probe, tuned), reasons = decide(PhaseFacts(1000, 10))
    assert (probe.initial_share, tuned.initial_share) == (0, 0.3)
    assert reasons["fine-tune.initial_share"] == (
        "0.3, since the mean of pretrained weights and those learnt from them is better than either"
    )
    assert decide(PhaseFacts(1000, 10), ["training.phases.fine-tune.initial_share=0.2"])[0][1].initial_share == 0.2
    assert decide(PhaseFacts(1000, 10, is_pretrained=False))[0][0].initial_share == 0
    assert decide(PhaseFacts(1000, 10, is_own_network=True))[0][1].initial_share == 0
    no_probe = load_settings("auto").training.phases[1:]
    assert plan_phases(no_probe, PhaseFacts(1000, 10))[0][0].initial_share == 0


def test_the_last_epoch_is_kept_where_the_rate_arrives_at_zero():
    fine_tune = "training.phases.fine-tune"
    (_, tuned), reasons = decide(PhaseFacts(1000, 10))
    assert tuned.keep == "last"
    assert reasons["fine-tune.keep"] == (
        "last, where the learning rate arrives at zero: picking among epochs by their scores picks luck, too"
    )
    for other in ("schedule=plateau", "schedule=constant", "patience=3", "keep=best"):
        assert decide(PhaseFacts(1000, 10), [f"{fine_tune}.{other}"])[0][1].keep == "best"
    assert (
        decide(PhaseFacts(1000, 10), [f"{fine_tune}.schedule=constant", f"{fine_tune}.keep=last"])[0][1].keep == "last"
    )


def test_what_is_set_stays():
    overrides = ["epochs=40", "augment=none", "training.phases.fine-tune.learning_rate=0.02"]
    (_, tuned), reasons = decide(PhaseFacts(1000, 10), overrides)
    assert (tuned.epochs, tuned.learning_rate, tuned.augment) == (40, 0.02, "none")
    chosen = {"probe.head_solver", "fine-tune.optimizer", "fine-tune.layer_decay", "frozen_batchnorm"}
    chosen |= {"fine-tune.initial_share", "fine-tune.keep"}
    assert set(reasons) == chosen


def test_many_epochs_get_strong_augmentation():
    assert decide(PhaseFacts(1000, 10), ["epochs=40"])[0][1].augment == "standard"


def test_from_scratch_pictures_at_their_own_size_stay_sharp():
    facts = PhaseFacts(1000, 10, is_pretrained=False)
    assert decide(facts)[0][0].augment == "light"
    (phase,), reasons = decide(facts._replace(is_enlarged=True))
    assert phase.augment == "shift"
    assert "as small as these" in reasons["fine-tune.augment"]
    assert decide(PhaseFacts(1000, 10, is_enlarged=True))[0][1].augment == "light"


def test_a_plan_holds_no_auto():
    phases = decide(PhaseFacts(1000, 10))[0]
    for name in ("augment", "optimizer"):
        with pytest.raises(ValidationError, match="never auto"):
            PhasePlan(**{**phases[0].model_dump(), name: "auto"})
    with pytest.raises(ValidationError):
        PhasePlan(**{**phases[0].model_dump(), "epochs": "auto"})


def test_batchnorm_is_frozen_where_it_is_pretrained():
    for facts, frozen in (
        (PhaseFacts(1000, 10, batch_size=32), True),
        (PhaseFacts(1000, 10, batch_size=64), True),
        (PhaseFacts(1000, 10, batch_size=32, is_own_network=True), True),
        (PhaseFacts(1000, 10, batch_size=64, is_own_network=True), False),
        (PhaseFacts(1000, 10, is_pretrained=False), False),
    ):
        phases, reasons = decide(facts)
        assert {phase.frozen_batchnorm for phase in phases} == {frozen}
        assert reasons["frozen_batchnorm"]


def test_an_exact_head_that_would_take_much_of_a_budget_learns_by_steps():
    facts = PhaseFacts(40_000, 10, features=2000)
    assert decide(facts._replace(budget_seconds=10_000))[0][0].head_solver == "lbfgs"
    (probe, _), reasons = decide(facts._replace(budget_seconds=60))
    assert (probe.head_solver, probe.epochs) == ("gradient", 8)
    assert reasons["probe.head_solver"] == "gradient, since the exact solution would take about 48 of 60 s"


LIGHT = tuple(f"training.phases.*.{choice}" for choice in ("epochs=16", "head_solver=gradient", "augment=light"))
TOP = 'training.phases.fine-tune.train=["layer4","head"]'


def decide_views(overrides):
    settings = load_settings("auto", [*LIGHT, *overrides])
    facts = PhaseFacts(
        1000,
        10,
        mixes=settings.training.mixup > 0,
        features_cached=settings.cache.features == "auto",
        views=settings.cache.views,
    )
    phases, reasons = plan_phases(settings.training.phases, facts)
    return [(phase.views, phase.augment) for phase in phases], reasons


@pytest.mark.parametrize(
    ("overrides", "probe", "tuned"),
    [
        ([], (5, "light"), (0, "light")),
        (["cache.views=4"], (4, "light"), (0, "light")),
        (["cache.views=1"], (1, "none"), (0, "light")),
        (["training.phases.*.augment=none"], (1, "none"), (0, "none")),
        ([TOP], (5, "light"), (5, "light")),
        ([TOP, "training.phases.*.epochs=4"], (4, "light"), (3, "light")),
        (["training.phases.probe.epochs=2"], (2, "light"), (0, "light")),
        (["training.mixup=0.2"], (0, "light"), (0, "light")),
        (["cache.features=off"], (0, "light"), (0, "light")),
        (["training.phases.probe.head_solver=lbfgs"], (1, "none"), (0, "light")),
        (["training.phases.probe.head_solver=lbfgs", "cache.views=2"], (2, "light"), (0, "light")),
    ],
)
def test_an_augmentation_that_is_planned_is_done_in_several_views(overrides, probe, tuned):
    assert decide_views(overrides)[0] == [probe, tuned]


def test_the_number_of_views_and_a_missing_augmentation_have_their_reasons():
    reasons = decide_views([TOP])[1]
    assert reasons["probe.views"].startswith("5, with which a head is as accurate")
    assert reasons["fine-tune.views"] == "5 for 16 epochs, since layers of the backbone are trained"
    reasons = decide_views(["cache.views=1"])[1]
    assert reasons["probe.augment"] == "none, since cache.views=1 asks for one view, which is not augmented"
    assert "fine-tune.augment" not in reasons
    reasons = decide_views(["training.phases.probe.head_solver=lbfgs"])[1]
    assert reasons["probe.augment"].startswith("none, since an exact solution takes the pictures as they are")
