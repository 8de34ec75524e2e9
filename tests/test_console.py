"""The log on streams of any encoding."""

import io
import logging

from rich.console import Console

from discern.console import MessageLog, fit_encoding

logger = logging.getLogger("discern")


def test_what_an_encoding_lacks_is_escaped():
    assert fit_encoding("Café 狗", "cp1252") == "Café \\u72d7"
    assert fit_encoding("Café 狗", "ascii") == "Caf\\xe9 \\u72d7"
    assert fit_encoding("Café 狗", "utf-8") == "Café 狗"
    assert fit_encoding("caf\udce9", "utf-8") == "caf\\udce9"


def test_a_log_is_escaped_on_the_stream_and_whole_in_the_file(tmp_path):
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
