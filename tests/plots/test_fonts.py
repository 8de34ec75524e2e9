import logging
from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager

from discern.plots import fonts
from discern.plots.saving import save_figure
from discern.plots.style import build_figure

MATHEMATICAL = "\U0001d4b3"  # in matplotlib's STIX fonts, and not in its default font
PRIVATE = "\ue999\ue998"


@pytest.fixture(autouse=True)
def _nothing_said_before():
    fonts._warn_of_missing_font.cache_clear()


def save(text: str, path: Path) -> None:
    figure = build_figure(2, 1)
    figure.text(0.5, 0.5, text, parse_math=False)
    save_figure(figure, path)


def test_a_script_without_a_font_is_said_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(fonts, "_find_family", lambda character: None)
    with caplog.at_level(logging.WARNING, "discern"):
        for text in ("dog 狗", "猫 cat", "Café"):
            save(text, tmp_path / "figure.png")
    assert [record.getMessage() for record in caplog.records] == [
        "plots show boxes for CJK characters: no font here has them; install one, such as Noto Sans CJK"
    ]


def test_characters_that_are_no_letters_are_called_special(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "discern"):
        save(PRIVATE, tmp_path / "figure.png")
    assert "boxes for special characters" in caplog.text


def test_an_installed_font_stands_in(tmp_path, caplog, monkeypatch):
    stix = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "STIXGeneral.ttf"
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(stix)])
    figure = build_figure(2, 1)
    text = figure.text(0.5, 0.5, f"a {MATHEMATICAL}", parse_math=False)
    with caplog.at_level(logging.WARNING, "discern"):
        save_figure(figure, tmp_path / "figure.png")
    assert caplog.records == []
    assert len(text.get_fontfamily()) == 2
