import logging

from typer.main import get_command

from discern.cli.app import app
from discern.cli.spelling import WITH_OPTIONS, spelling_for_commands
from discern.errors import OVERWRITE, RunFolderError, data_setting, option

logger = logging.getLogger("discern")


def test_the_log_spells_what_it_advises_for_the_caller(caplog):
    error = RunFolderError("it is full; give ", OVERWRITE)
    with spelling_for_commands():
        logger.warning("%d epochs; go on with %s: %s", 3, option("out", "my run"), error)
    logger.warning("%d epochs; go on with %s: %s", 3, option("out", "my run"), error)
    assert caplog.messages == [
        "3 epochs; go on with --out 'my run': it is full; give --overwrite",
        '3 epochs; go on with out="my run": it is full; give overwrite=True',
    ]


def test_a_setting_is_an_option_of_the_commands_that_have_it_as_one():
    commands = get_command(app).commands
    having = [name for name, command in commands.items() if "image_column" in {one.name for one in command.params}]
    assert sorted(having) == sorted(WITH_OPTIONS)


def test_a_setting_is_named_as_the_command_takes_it(run_cli, trained_run, photos, tmp_path):
    table = tmp_path / "a.csv"
    table.write_text(f"image,label,class\n{photos / 'red' / '0.png'},a,b\n")
    out = ("--out", tmp_path / "out")
    for arguments, way in (
        (("train", table, *out), "data.label_column=NAME"),
        (("audit", table, *out), "data.label_column=NAME"),
        (("evaluate", trained_run, table, *out), "--label-column NAME"),
    ):
        code, _, said = run_cli(*arguments)
        assert code == 2
        assert said.endswith(f"Its columns are image, label, class. Say which it is: {way}.\n"), said


def test_the_log_names_settings_as_the_command_takes_them(monkeypatch, caplog):
    for command in ("train", "predict"):
        monkeypatch.setattr("sys.argv", ["discern", command, "run"])
        with spelling_for_commands():
            logger.warning("if not, set %s", data_setting("split_column", "none"))
    assert caplog.messages == ["if not, set data.split_column=none", "if not, set --split-column none"]
