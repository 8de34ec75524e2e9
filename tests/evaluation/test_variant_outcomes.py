"""Variants with several seeds, counted by hand."""

import numpy as np
import pytest

from discern.evaluation.variant_outcomes import (
    SeedRun,
    VariantOutcome,
    choose_best,
    describe_best,
    describe_choice,
    tabulate_outcomes,
)


def make_outcome(name: str, *rows: str | None) -> VariantOutcome:
    """Make a variant whose runs, one a seed, got the pictures with a 1 right; None is a run that failed."""
    runs = tuple(
        SeedRun(seed, 10.0 * (seed + 1), 10**9, None, np.array(list(row), dtype=np.float64))
        if row is not None
        else SeedRun(seed, 1.0, None, "no weights", None)
        for seed, row in enumerate(rows)
    )
    return VariantOutcome(name, "table", ("seed=1",), runs)


def test_a_table_has_a_row_a_variant() -> None:
    first, second = make_outcome("one", "1100", "1110"), make_outcome("two", None, "1111")
    table = tabulate_outcomes([first, second])
    assert table["accuracy"].tolist() == [5 / 8, 1.0]
    assert table["pictures"].tolist() == [4, 4]
    assert table["runs"].tolist() == [2, 1]
    assert table["failed"].tolist() == [0, 1]
    assert table["seconds"].tolist() == [15.0, 20.0]
    assert table["difference"].tolist()[1] == pytest.approx(1 / 4)
    assert table["compared_with"].tolist() == ["", "one"]


def test_differences_are_of_common_seeds() -> None:
    assert make_outcome("one", "11", None).subtract(make_outcome("two", None, "11")) is None
    found = make_outcome("one", "11", "00").subtract(make_outcome("two", None, "11"))
    assert found is not None
    assert found.value == -1


def test_a_variant_whose_runs_all_failed_has_no_accuracy() -> None:
    failed = make_outcome("failed", None, None)
    assert failed.accuracy is failed.seconds is failed.peak_bytes is None
    assert np.isnan(tabulate_outcomes([make_outcome("one", "10"), failed])["accuracy"].iloc[1])
    assert describe_best([make_outcome("one", "10"), failed]) == "highest: one; no other completed"


def test_the_best_is_named_with_those_that_are_not_worse() -> None:
    good, same, bad = "1" * 60, "1" * 59 + "0", "0" * 60
    outcomes = [make_outcome(name, row, row) for name, row in (("good", good), ("same", same), ("bad", bad))]
    assert describe_best(outcomes) == "highest: good; not distinguishable from it: same"
    assert describe_best([outcomes[0], outcomes[2]]) == "highest: good; all others are worse"


def test_a_tie_is_called_one() -> None:
    outcomes = [make_outcome("one", "110"), make_outcome("two", "011"), make_outcome("three", "001")]
    assert choose_best(outcomes).name == "one"
    assert describe_best(outcomes) == "equally high: one, two; not distinguishable from it: two, three"


def test_the_choice_says_by_which_pictures_and_tests_one_alone() -> None:
    outcomes = [make_outcome("one", "1" * 60), make_outcome("two", "0" * 60)]
    assert describe_choice(outcomes, "test", None) == "highest: one; all others are worse (on test pictures)"
    text = describe_choice(outcomes, "validation", make_outcome("one", "1" * 18 + "00"))
    assert text.startswith("highest: one; all others are worse (on validation pictures, which also chose the epoch of")
    assert text.endswith("). On 20 test pictures, used for one alone: 90.0 % [68.3, 98.8]")
