import pickle

from discern.errors import (
    OUT,
    OVERWRITE,
    BadImagesError,
    DataError,
    ImageProblem,
    RunFolderError,
    WriteError,
    cut,
    data_setting,
    list_some,
    name_some,
    one_line,
    option,
)


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


def test_an_option_is_spelled_for_the_caller():
    error = RunFolderError("it is full; give another ", OUT, ", or ", OVERWRITE, " or ", option("on_bad", "skip"))
    assert str(error) == 'it is full; give another out=..., or overwrite=True or on_bad="skip"'
    assert error.for_command_line() == "it is full; give another --out, or --overwrite or --on-bad skip"
    again = pickle.loads(pickle.dumps(error))
    assert again.for_command_line() == error.for_command_line()
    chosen = DataError(
        "two columns: ", data_setting("label_column", "my label"), " (", data_setting("label_column"), ")"
    )
    assert str(chosen) == 'two columns: label_column="my label" (label_column)'
    assert chosen.for_command_line() == "two columns: 'data.label_column=my label' (data.label_column)"
    evaluating = chosen.for_command_line(takes_settings=False)
    assert evaluating == "two columns: --label-column 'my label' (--label-column)"
    listed = BadImagesError([ImageProblem("a.png", "bad")], next_step=("Or go on by ", option("max_drop", 0.1), "."))
    assert str(listed).splitlines()[-1] == "Or go on by max_drop=0.1."
    assert listed.for_command_line().splitlines()[1:] == ["  a.png: bad", "Or go on by --max-drop 0.1."]
    full = WriteError("run/a", "the disk is full", "Make room there")
    said = "run/a cannot be written: the disk is full. Make room there, then "
    assert full.for_command_line() == f"{said}run the same command again"
    assert str(full) == f"{said}make the same call again"
    later = full.followed_by(option("resume", True))
    assert (later.for_command_line(), str(later)) == (f"{said}--resume", f"{said}resume=True")
