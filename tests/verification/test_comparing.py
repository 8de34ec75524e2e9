import pytest

from discern.verification.comparing import compare_numbers, compare_pages, compare_tables

PUBLISHED = {"test": {"accuracy": {"value": 0.9, "low": 0.5}, "names": ["ant", "bee"], "count": 10}}


def test_equal_numbers_agree_to_the_last_bits_in_which_machines_differ():
    computed = {"test": {"accuracy": {"value": 0.9 * (1 + 1e-13), "low": 0.5}, "names": ["ant", "bee"], "count": 10}}
    check = compare_numbers("metrics.json", PUBLISHED, computed)
    assert (check.count, check.disagreements) == (5, ())


@pytest.mark.parametrize(
    ("computed", "text"),
    [
        ({"value": 0.9000001, "low": 0.5}, "accuracy.value is 0.9, computed 0.9000001"),
        ({"value": 0.9, "low": 0.5, "high": 1.0}, "accuracy.high is missing, computed 1.0"),
        ({"value": 0.9}, "accuracy.low is 0.5, computed missing"),
        ({"value": "0.9", "low": 0.5}, "accuracy.value is 0.9, computed '0.9'"),
        ({"value": True, "low": 0.5}, "accuracy.value is 0.9, computed True"),
        (None, "accuracy is {'value': 0.9, 'low': 0.5}, computed None"),
    ],
)
def test_each_difference_is_named_with_its_place(computed, text):
    check = compare_numbers("metrics.json", {"accuracy": PUBLISHED["test"]["accuracy"]}, {"accuracy": computed})
    assert check.disagreements == (text,)


def test_cells_of_a_table_are_named_by_row_and_column():
    check = compare_tables("t.csv", 'name,recall\n"a, b",0.5\nc,1\n', 'name,recall\n"a, b",0.25\nc,1\n')
    assert check.count == 4
    assert check.disagreements == ("recall of 'a, b' in row 1 is '0.5', computed '0.25'",)
    assert compare_tables("t.csv", "name,recall\n", "name,recall\na,1\n").disagreements == (
        "it has 0 rows of 'name, recall'; computed 1 rows of 'name, recall'",
    )
    assert compare_tables("t.csv", "", "name\na\n").disagreements
    assert compare_tables("t.csv", "name,recall\na,1,2\n", "name,recall\na,1\n").disagreements == ("row 1 has 3 cells",)
    assert compare_tables("t.csv", "name,recall\na\n", "name,recall\na,1\n").disagreements == (
        "recall of 'a' in row 1 is '', computed '1'",
    )


def test_pages_are_compared_by_what_they_say():
    page = (
        '<p>Accuracy <b>{0}</b></p><svg><text>{1}</text></svg><img alt="{2}"><style>p {{}}</style><i id="own">{3}</i>'
    )
    published = page.format("90 %", "0.5", "a bee", "here")
    assert not compare_pages(
        "p", published, page.format("90 %", "0.5", "a bee", "there"), apart_from=["own"]
    ).disagreements
    for place in range(3):
        values = ["90 %", "0.5", "a bee", "here"]
        values[place] = "other"
        check = compare_pages("p", published, page.format(*values), apart_from=["own"])
        assert len(check.disagreements) == 1
        assert "'other'" in check.disagreements[0]
