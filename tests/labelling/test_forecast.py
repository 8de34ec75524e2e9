"""About how many more answers it will take."""

from discern.labelling.forecast import Measured, forecast_answers
from discern.labelling.goal import Goal
from discern.labelling.promise import plan_looks

LOOKS = plan_looks(1000, Goal(0.1, 0.8))


def build_heads(*wrong):
    return [Measured(20 * 2**place, 90 - one, 80, one) for place, one in enumerate(wrong)]


def test_more_errors_take_more_answers():
    few, many = (forecast_answers(build_heads(*wrong), LOOKS, 80, 100, 5000) for wrong in ((4, 2, 1), (8, 6, 5)))
    assert few[0] <= few[1]
    assert few[1] < many[1]


def test_the_range_ends_at_what_is_left():
    low, high = forecast_answers(build_heads(12, 11, 10), LOOKS, 80, 100, 400)
    assert low <= high == 400 - 80 + 1000 - 100


def test_nothing_is_said_of_few_heads_or_of_a_goal_out_of_reach():
    assert forecast_answers(build_heads(4, 2), LOOKS, 80, 100, 5000) is None
    assert forecast_answers(build_heads(60, 60, 60), LOOKS, 80, 100, 5000) is None
    assert forecast_answers(build_heads(1, 0, 0), plan_looks(30, Goal(0.02, 0.8)), 80, 20, 500) is None
