"""What a labelling is to reach, as people write it."""

import pytest

from discern.errors import ConfigError
from discern.labelling.goal import Goal, parse_goal


@pytest.mark.parametrize(
    "text",
    ["2% wrong, 80% answered", "80 % answered and 2 % wrong", "2,0% WRONG 80% Answered.", Goal(0.02, 0.8).describe()],
)
def test_a_goal_is_read_in_any_order(text):
    assert parse_goal(text) == pytest.approx(Goal(0.02, 0.8))


def test_a_goal_is_described_as_it_is_written():
    assert Goal().describe() == "2% wrong, 80% answered"
    assert parse_goal("0.25 % wrong, 99.5 % answered").describe() == "0.25% wrong, 99.5% answered"


@pytest.mark.parametrize("text", ["", "2% wrong", "2% wrong, 80% answered, quickly", "2% wrong, 3% wrong", "wrong 2%"])
def test_what_is_no_goal_is_refused_with_an_example(text):
    with pytest.raises(ConfigError, match='expected such as "2% wrong, 80% answered"'):
        parse_goal(text)


@pytest.mark.parametrize("text", ["0% wrong, 80% answered", "100% wrong, 80% answered", "2% wrong, 120% answered"])
def test_shares_that_make_no_sense_are_refused(text):
    with pytest.raises(ConfigError, match="each share above 0"):
        parse_goal(text)
