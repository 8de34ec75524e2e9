"""Plans that end in time."""

import math

import pytest

from discern.config.load import load_settings
from discern.planning.phases import PlanFacts, settle_phases
from discern.planning.time_plan import MARGIN, Counts, Speed, may_end_early, plan_in_time, settle_length

COUNTS = Counts(train=1000, validation=100, test=200, classes=10)
SPEED = Speed(answering=0.01, learning={"fine-tune": 0.03})


def plan(seconds, *, speed=SPEED, counts=COUNTS, extensible=(), spent_seconds=10.0, in_parts=False):
    training = load_settings("auto").training
    phases, _ = settle_phases(training.phases, PlanFacts(counts.train, counts.classes))
    training = training.model_copy(update={"phases": phases})
    return plan_in_time(
        training, speed, counts, seconds=seconds, spent_seconds=spent_seconds, extensible=extensible, in_parts=in_parts
    )


def describe(found):
    return [(phase.name, phase.num_epochs) for phase in found.training.phases]


def test_a_plan_with_time_enough_stays_as_it_is():
    found = plan(3600)
    assert describe(found) == [("probe", 1), ("fine-tune", 10)]
    assert found.training.max_images is None
    assert "10 epochs of 31.0 s in fine-tune" in found.words


@pytest.mark.parametrize("seconds", [80, 100, 150, 200, 300])
def test_what_is_planned_fits(seconds):
    found = plan(seconds)
    ending = found.reserve_seconds - MARGIN * seconds
    learning = sum(epochs * 31.0 for name, epochs in describe(found) if name == "fine-tune")
    features = 0.01 * 1100
    assert 10 + features + learning + ending <= seconds
    # Another epoch would not.
    assert 10 + features + learning + 31 + ending > seconds * (1 - MARGIN)


def test_the_last_epoch_is_planned_in_part_where_no_whole_one_fits():
    for seconds in range(100, 300, 7):
        whole, part = plan(seconds), plan(seconds, in_parts=True)
        length = part.lengths["fine-tune"]
        assert whole.lengths["fine-tune"] == int(length)
        assert describe(part)[1][1] == math.ceil(length)
        # What is planned for is used up, but for a part of an epoch that is not worth judging.
        left = seconds * (1 - MARGIN) - int(part.words.split()[1])
        assert -1 < left < 0.15 * 31 + 1
        assert f"{round(length, 1):g} epochs of 31.0 s" in part.words


def test_a_part_of_an_epoch_is_worth_it_where_it_counts_and_is_not_too_small():
    assert settle_length(3.6, in_parts=True) == 3.6
    assert settle_length(3.1, in_parts=True) == settle_length(3.6, in_parts=False) == 3
    assert may_end_early(100, processes=1)
    assert not may_end_early(0, processes=1)
    assert not may_end_early(100, processes=2)


def test_without_time_for_an_epoch_the_probe_ships():
    found = plan(60)
    assert describe(found) == [("probe", 1)]
    assert "there is no time for fine-tune" in found.words


def test_without_time_to_look_at_all_pictures_a_sample_is_trained_on():
    found = plan(60, counts=Counts(5000, 100, 200, 10))
    assert describe(found) == [("probe", 1)]
    assert 500 < found.training.max_images < 5000
    assert f"features of {found.training.max_images} training pictures" in found.words


def test_the_solution_of_a_sample_takes_a_part_of_the_time():
    speed = Speed(answering=0.0004, learning={"fine-tune": 0.0012}, solving=0.006)
    found = plan(300, speed=speed, counts=Counts(45000, 1000, 1000, 10), spent_seconds=15)
    assert 30000 < found.training.max_images < 45000
    assert "cannot be done" not in found.words
    assert plan(600, speed=speed, counts=Counts(45000, 1000, 1000, 10)).training.max_images is None


def test_every_view_of_a_picture_is_looked_at():
    once, often = plan(100), plan(100, speed=SPEED._replace(views=3))
    assert "11 s for features" in once.words
    assert "31 s for features" in often.words
    assert plan(75, speed=SPEED._replace(views=9)).training.max_images < 1000


def test_what_cannot_be_done_is_said():
    found = plan(12)
    assert found.training.max_images == 2 * COUNTS.classes
    assert "it cannot be done in less" in found.words


def test_from_scratch_at_least_one_epoch_is_left():
    training = load_settings("auto", ["model.weights=none"]).training
    phases, _ = settle_phases(training.phases, PlanFacts(1000, 10, is_pretrained=False))
    training = training.model_copy(update={"phases": phases})
    found = plan_in_time(training, SPEED, COUNTS, seconds=30, spent_seconds=5)
    assert describe(found) == [("fine-tune", 1)]


def test_more_time_is_used_where_epochs_were_chosen_by_the_program():
    assert describe(plan(800, extensible=["fine-tune"]))[1] == ("fine-tune", 23)
    found = plan(36000, extensible=["fine-tune"])
    assert describe(found)[1] == ("fine-tune", 30)
    assert found.most_epochs == {"fine-tune": 30}
