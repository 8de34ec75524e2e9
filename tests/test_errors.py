from discern.errors import BadImagesError, ImageProblem, cut, list_some, name_some, one_line


def test_no_message_grows_with_the_data():
    many = [f"column {number}" for number in range(785)]
    assert name_some(many).endswith("column 9 and 775 more")
    assert list_some(many).endswith("column 9\n  ... and 775 more")
    assert len(str(BadImagesError([ImageProblem("a" * 9000, "b" * 9000)] * 900, next_step="Stop."))) < 4000


def test_of_a_long_value_the_beginning_and_the_end_are_shown():
    assert cut("short") == "short"
    assert cut("a" * 500 + "b" * 500) == f"{'a' * 147} ... {'b' * 147}"
    assert len(name_some(["x" * 9000] * 3)) < 1000


def test_a_text_of_several_lines_becomes_one():
    assert one_line(ValueError("1 problem:\n   no number")) == "1 problem: no number"
    assert one_line("a " * 500, 20) == "a a a a ... a a a a"
