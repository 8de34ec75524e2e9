import pytest

from discern.config.duration import describe_range


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (2, 4, "5 s"),
        (22, 38, "20 to 40 s"),
        (100, 118, "100 to 120 s"),
        (100, 190, "1.5 to 3.5 min"),
        (1500, 2700, "25 to 45 min"),
        (4000, 7500, "1 to 2.5 h"),
    ],
)
def test_a_range_of_durations_has_one_unit_and_round_ends(low, high, expected):
    assert describe_range(low, high) == expected
