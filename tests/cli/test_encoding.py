"""Names in any script, whatever the encoding of terminal and locale."""

import io
import os
import subprocess
import sys

import pytest

from discern.cli.encoding import escape_unprintable

PREDICTIONS = (
    "id,true,predicted,confidence,probability_狗,probability_Café\na,狗,狗,0.8,0.8,0.2\nb,Café,狗,0.6,0.6,0.4\n"
)


def run_in(environment, *arguments, folder):
    environment = {**os.environ, **environment}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True)


@pytest.mark.skipif(os.name == "nt", reason="names are always text there")
def test_names_are_text_in_a_locale_without_them(tmp_path):
    (tmp_path / "狗").mkdir()
    script = "import os, sys; from discern.cli.encoding import read_names_as_utf8 as read; read(); "
    script += "print(ascii(os.listdir() + sys.argv[1:]), open('x', 'w').encoding)"
    ascii_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = run_in(ascii_locale, "-c", script, "é狗", folder=tmp_path)
    assert ended.stdout.decode().lower() == "['\\u72d7', '\\xe9\\u72d7'] utf-8\n"


def test_a_command_ends_well_on_a_console_that_lacks_a_character(tmp_path):
    for name in ("a.csv", "狗.csv"):
        (tmp_path / name).write_text(PREDICTIONS, encoding="utf-8")
    ended = run_in(
        {"PYTHONIOENCODING": "cp1252"}, "-m", "discern", "diff", "a.csv", "狗.csv", "--out", "ü狗", folder=tmp_path
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b", \\u72d7.csv" in ended.stdout
    assert ended.stdout.endswith(b"written: \xfc\\u72d7" + os.linesep.encode())
    assert (tmp_path / "ü狗" / "comparison.json").is_file()


def test_both_streams_escape_what_they_lack(monkeypatch):
    streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="ascii") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    escape_unprintable()
    for stream in streams.values():
        print("狗", file=stream, flush=True)
        assert stream.buffer.getvalue().strip() == b"\\u72d7"
