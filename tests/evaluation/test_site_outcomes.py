import numpy as np

from discern.evaluation.intervals import exact_interval
from discern.evaluation.site_outcomes import (
    Promise,
    SiteOutcome,
    describe_site,
    describe_sites,
    sort_sites,
    tabulate_sites,
)

PROMISE = Promise(exact_interval(95, 100), 100)
GOOD = SiteOutcome("good", 100, 300, exact_interval(94, 100), exact_interval(9, 10), 10)
BAD = SiteOutcome("bad", 100, 300, exact_interval(60, 100), None, 0, copies=2)
SMALL = SiteOutcome("small", 5, 390, exact_interval(4, 5), None, 0, ("wasp",), 3)
FAILED = SiteOutcome("failed", 9, 0, None, None, 0, error="out of memory")


def test_the_worst_come_first_and_what_failed_last():
    assert [one.name for one in sort_sites([FAILED, GOOD, SMALL, BAD])] == ["bad", "small", "good", "failed"]


def test_a_site_is_below_where_the_intervals_do_not_overlap():
    standings = [one.compare(PROMISE) for one in (BAD, SMALL, GOOD, FAILED)]
    assert standings == ["below", "not distinguishable", "not distinguishable", "not measured"]
    assert GOOD.compare(Promise(exact_interval(10, 100), 100)) == "above"


def test_the_table_has_drop_and_promise_of_each_site():
    table = tabulate_sites([BAD, SMALL, FAILED], PROMISE).set_index("site")
    assert table.loc["bad", "drop"] == 0.95 - 0.6
    assert (table["promise"] == 0.95).all()
    assert table.loc["small", "missing_classes"] == "wasp"
    assert np.isnan(table.loc["failed", "accuracy"])
    assert table.loc["failed", "error"] == "out of memory"


def test_sentences_name_the_worst_and_what_limits_a_number():
    text = describe_sites([GOOD, BAD, SMALL, FAILED], PROMISE, "camera")
    assert text == (
        "at a camera that training has not seen: accuracy 78.0 % on average over 3, from 60.0 % (bad) to 94.0 % "
        "(good); below the promise: bad"
    )
    assert describe_sites([GOOD], PROMISE, "camera").endswith("none is shown to be below the promise")
    assert describe_site(SMALL, PROMISE) == (
        "small: accuracy 80.0 % (95 % interval 28.4 % to 99.5 %), 5 pictures; -15.0 points, not distinguishable; "
        "3 pictures left out, of classes that no other site has: wasp; few pictures: the interval says little"
    )
    assert "2 pictures also at another site, which flatters it" in describe_site(BAD, PROMISE)
    assert describe_site(FAILED, PROMISE) == "failed: not measured: out of memory"
