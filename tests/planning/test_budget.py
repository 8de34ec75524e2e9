"""Plans that end in time."""

import math

import pytest

from discern.config.load import load_settings
from discern.config.sections.training import TrainingBase
from discern.data.reading.preprocess import Preprocess
from discern.models.architecture import Architecture
from discern.planning.budget import MARGIN, fit_to_budget, round_length
from discern.planning.estimate import Counts, Estimate
from discern.planning.phases import PhaseFacts, plan_phases
from discern.planning.plan import MachinePlan, Plan, ReadingPlan, TrainingPlan
from discern.planning.speed import Speed

COUNTS = Counts(train=1000, validation=100, test=200, classes=10)
SPEED = Speed(prediction_seconds=0.01, training_seconds={"fine-tune": 0.03})


def plan(
    seconds, *, speed=SPEED, counts=COUNTS, overrides=("epochs=10",), spent_seconds=10.0, in_parts=False, views=None
):
    """Fit the recipe auto into a time; with ten epochs, which are the user's wish unless they are auto."""
    settings = load_settings("auto", ["model.weights=w.pth", *overrides])
    is_pretrained = settings.model.weights != "none"
    facts = PhaseFacts(counts.train, counts.classes, is_pretrained=is_pretrained, features=counts.features)
    phases, reasons = plan_phases(settings.training.phases, facts)
    if views is not None:
        phases = tuple(phase.model_copy(update={"views": views}) if phase.views else phase for phase in phases)
    training = settings.training.model_dump(include=set(TrainingBase.model_fields))
    whole = Plan(
        recipe="auto",
        seed=0,
        architecture=Architecture(),
        weights=settings.model.weights,
        preprocess=Preprocess(224, "squash", (0.5,) * 3, (0.5,) * 3),
        training=TrainingPlan(batch_size=32, **training),
        phases=phases,
        reading=ReadingPlan(workers=0, max_pixels=10**8, folder="cache", limit_gigabytes=1),
        machine=MachinePlan(
            device="cpu", precision="fp32", threads=1, determinism=False, accelerates=True, processes=1
        ),
        reasons=reasons,
    )
    return fit_to_budget(
        whole,
        settings.training.phases,
        speed,
        counts,
        seconds=seconds,
        spent_seconds=spent_seconds,
        may_end_early=in_parts,
    )


def describe(found):
    return [(phase.name, phase.epochs) for phase in found.phases]


def message(found):
    return found.reasons["run.budget"]


def length_of(found, name="fine-tune"):
    return next(phase.length for phase in found.phases if phase.name == name)


def test_a_plan_with_time_enough_stays_as_it_is():
    found = plan(3600)
    assert describe(found) == [("probe", 1), ("fine-tune", 10)]
    assert found.training.max_images is None
    assert "10 epochs of 31.0 s in fine-tune" in message(found)


def test_the_parts_of_a_run_are_estimated_without_a_budget_too():
    whole = plan(3600)
    parts = Estimate(whole, SPEED, COUNTS).list_parts({"fine-tune": 10}, COUNTS.train)
    features, epochs, ending = (part.seconds for part in parts)
    assert features == pytest.approx(0.01 * 1100 * whole.phases[0].views, abs=0.01 * 1100)
    assert epochs == pytest.approx(10 * (0.03 * 1000 + 0.01 * 100))
    assert ending == pytest.approx(5 + 0.01 * (200 + 36) + 0.01 * 1100)
    assert parts[1].describe() == "310 s for 10 epochs of 31.0 s in fine-tune"


def test_views_of_test_time_augmentation_take_their_time():
    counts = {"none": 200, "flip": 2 * 200 + 2 * 100, "five": 5 * 200 + 5 * 100}
    for candidates, pictures in [((tta,), count) for tta, count in counts.items()] + [
        (("none", "flip", "five"), 5 * 200 + (2 + 5) * 100)
    ]:
        whole = plan(3600)
        training = whole.training.model_copy(update={"tta_candidates": candidates})
        estimate = Estimate(whole.model_copy(update={"training": training}), SPEED, COUNTS)
        assert estimate.ending == pytest.approx(5 + 0.01 * (pictures + 36))


@pytest.mark.parametrize("seconds", [80, 100, 150, 200, 300])
def test_what_is_planned_fits(seconds):
    found = plan(seconds)
    ending = found.budget.reserve_seconds - MARGIN * seconds
    learning = sum(epochs * 31.0 for name, epochs in describe(found) if name == "fine-tune")
    features = 0.01 * 1100
    assert 10 + features + learning + ending <= seconds
    # Another epoch would not.
    assert 10 + features + learning + 31 + ending > seconds * (1 - MARGIN)


def test_the_last_epoch_is_planned_in_part_where_no_whole_one_fits():
    for seconds in range(100, 300, 7):
        whole, part = plan(seconds), plan(seconds, in_parts=True)
        length = length_of(part)
        assert length_of(whole) == int(length)
        assert describe(part)[1][1] == math.ceil(length)
        # What is planned for is used up, but for a part of an epoch that is not worth judging.
        left = seconds * (1 - MARGIN) - int(message(part).split()[1])
        assert -1 < left < 0.15 * 31 + 1
        assert f"{round(length, 1):g} epochs of 31.0 s" in message(part)


def test_a_part_of_an_epoch_is_worth_it_where_it_counts_and_is_not_too_small():
    assert round_length(3.6, may_end_early=True) == 3.6
    assert round_length(3.1, may_end_early=True) == round_length(3.6, may_end_early=False) == 3


def test_without_time_for_an_epoch_the_probe_ships():
    found = plan(60)
    assert describe(found) == [("probe", 1)]
    assert "there is no time for fine-tune" in message(found)


def test_without_time_to_look_at_all_pictures_a_sample_is_trained_on():
    found = plan(60, counts=Counts(5000, 100, 200, 10))
    assert describe(found) == [("probe", 1)]
    assert 500 < found.training.max_images < 5000
    assert f"features of {found.training.max_images} training pictures" in message(found)


def test_the_solution_of_a_sample_takes_a_part_of_the_time():
    speed = Speed(prediction_seconds=0.0004, training_seconds={"fine-tune": 0.0012})
    counts = Counts(45000, 1000, 1000, 10, features=2000)
    given = {"speed": speed, "counts": counts, "overrides": ["epochs=10", "training.phases.probe.head_solver=lbfgs"]}
    found = plan(90, spent_seconds=15, **given)
    assert 30000 < found.training.max_images < 45000
    assert "cannot be done" not in message(found)
    assert plan(180, **given).training.max_images is None


def test_every_view_of_a_picture_is_looked_at():
    once, often = plan(100), plan(100, views=3)
    assert "11 s for features" in message(once)
    assert "31 s for features" in message(often)
    assert plan(75, views=9).training.max_images < 1000


def test_what_cannot_be_done_is_said():
    found = plan(12)
    assert found.training.max_images == 2 * COUNTS.classes
    assert "it cannot be done in less" in message(found)


def test_from_scratch_at_least_one_epoch_is_left():
    found = plan(30, spent_seconds=5, overrides=["model.weights=none"])
    assert describe(found) == [("fine-tune", 1)]


def test_more_time_is_used_where_epochs_were_chosen_by_the_program():
    auto = plan(800, overrides=())
    assert describe(auto)[1] == ("fine-tune", 23)
    assert auto.reasons["fine-tune.epochs"] == "23, as many as the budget allows"
    found = plan(36000, overrides=())
    assert describe(found)[1] == ("fine-tune", 30)
    assert found.phases[1].max_epochs == 30
    assert describe(plan(36000))[1] == ("fine-tune", 10)
