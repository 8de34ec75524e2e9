"""What a labelling is to reach, as people write it."""

import pytest

from discern.errors import ConfigError
from discern.labelling.goal import Goal, keep_goal, parse_goal


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


def test_a_labelling_goes_on_with_its_first_goal_and_says_what_another_one_costs(tmp_path, caplog):
    path = tmp_path / "goal.txt"
    first, other = Goal(0.35, 0.6), Goal(0.1, 0.6)
    assert keep_goal(path, first) == keep_goal(path, None) == keep_goal(path, first) == first
    assert path.read_text() == "35% wrong, 60% answered\n"
    assert not caplog.messages
    assert keep_goal(path, other) == other
    assert "began with the goal 35% wrong, 60% answered; the 95 % confidence does not cover" in caplog.messages[0]
    assert keep_goal(path, None) == first


def test_without_a_goal_the_usual_one_is_kept(tmp_path):
    assert keep_goal(tmp_path / "goal.txt", None) == Goal()
    assert parse_goal((tmp_path / "goal.txt").read_text().strip()) == Goal()
