"""Fonts for names in any script: installed ones stand in where matplotlib's own lacks a character."""

import logging
import unicodedata
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

logger = logging.getLogger("discern")


def complete_fonts(figure: Figure) -> None:
    """Give each text of a figure an installed font for the characters that its own lacks; say which have none."""
    lacking: set[str] = set()
    for text in figure.findobj(Text):
        if not isinstance(text, Text):
            continue
        own = str(font_manager.findfont(text.get_fontproperties()))
        missing = {char for char in text.get_text() if not char.isspace() and not _holds(own, char)}
        families = {char: _find_family(char) for char in missing}
        lacking |= {char for char, family in families.items() if family is None}
        found = sorted({family for family in families.values() if family is not None})
        if found:
            text.set_fontfamily([*text.get_fontfamily(), *found])
    for script in sorted({_name_script(character) for character in lacking}):
        _warn_of_missing_font(script)


def _name_script(character: str) -> str:
    """Return the script of a letter as its Unicode name begins, such as CJK or Arabic."""
    if unicodedata.category(character)[0] not in "LM":
        return "special"
    script = unicodedata.name(character, "unknown").split()[0]
    return script if script == "CJK" else script.capitalize()


@cache
def _warn_of_missing_font(script: str) -> None:
    """Warn once in a process, however many figures there are."""
    font = {"CJK": "Noto Sans CJK", "special": "Noto Emoji"}.get(script, f"Noto Sans {script}")
    logger.warning("plots show boxes for %s characters: no font here has them; install one, such as %s", script, font)


@cache
def _find_family(character: str) -> str | None:
    """Return the family of an installed font that has the character."""
    path = next((path for path in _list_fonts() if _holds(path, character)), None)
    if path is None:
        return None
    font_manager.fontManager.addfont(path)
    return str(FT2Font(path).family_name)


@cache
def _list_fonts() -> tuple[str, ...]:
    """Return all fonts of the system, also those that were installed after matplotlib made its list."""
    known = [entry.fname for entry in font_manager.fontManager.ttflist]
    paths = dict.fromkeys([*known, *sorted(font_manager.findSystemFonts())])
    # It has a box with the name of the script for every character there is.
    return tuple(path for path in paths if not Path(path).name.startswith("LastResort"))


@cache
def _holds(path: str, character: str) -> bool:
    font = _open(path)
    return font is not None and font.get_char_index(ord(character)) != 0


@cache
def _open(path: str) -> FT2Font | None:
    try:
        return FT2Font(path)
    except (OSError, RuntimeError):
        return None
