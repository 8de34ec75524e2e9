"""The log on streams of any encoding."""

import io
import logging

from rich.console import Console

from discern.console import MessageLog, fit_encoding, reporting, show_details

logger = logging.getLogger("discern")


def test_what_an_encoding_lacks_is_escaped():
    assert fit_encoding("Café 狗", "cp1252") == "Café \\u72d7"
    assert fit_encoding("Café 狗", "ascii") == "Caf\\xe9 \\u72d7"
    assert fit_encoding("Café 狗", "utf-8") == "Café 狗"
    assert fit_encoding("caf\udce9", "utf-8") == "caf\\udce9"


def test_a_log_is_escaped_on_the_stream_and_whole_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(logger, "propagate", False)  # pytest cannot pass such a name from process to process
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    messages = MessageLog(Console(file=stream, soft_wrap=True))
    messages.open_log(tmp_path / "log.txt")
    try:
        logger.warning("classes: 狗, Café, caf\udce9")
    finally:
        messages.close()
    stream.flush()
    assert stream.buffer.getvalue() == b"classes: \\u72d7, Caf\xe9, caf\\udce9\n"
    assert "classes: 狗, Café, caf\\udce9" in (tmp_path / "log.txt").read_text(encoding="utf-8")


def test_details_are_for_the_file_unless_they_are_asked_for(tmp_path, capsys):
    level = logger.level
    try:
        for asked in (False, True):
            show_details(asked)
            with reporting(verbose=True) as messages:
                messages.open_log(tmp_path / f"{asked}.txt")
                logger.info("a result")
                logger.debug("a detail")
            assert capsys.readouterr().out.splitlines() == ["a result", "a detail"][: 1 + asked]
            assert "DEBUG a detail" in (tmp_path / f"{asked}.txt").read_text(encoding="utf-8")
    finally:
        logger.setLevel(level)


def test_a_program_without_a_log_file_keeps_no_more_than_its_last_messages(tmp_path):
    with reporting(verbose=False) as messages:
        for number in range(3_000):
            logger.info("message %d", number)
        messages.open_log(tmp_path / "log.txt")
        logger.info("one more")
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1_001
    assert lines[0].endswith("message 2000")
    assert lines[-1].endswith("one more")
