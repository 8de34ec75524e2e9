"""Settings as a person types them on the page: read, and refused where they name a file outside of the folder."""

import re
import shlex
from os.path import exists  # for which a name that is too long is no error

from discern.errors import cut
from discern.serving.refusals import FORBIDDEN, UNUSABLE, Refusal
from discern.studio.places import Places

_SETTING = re.compile(r"[a-z_]+(\.[a-z_*0-9\"]+)*=.*")
_WORD = re.compile(r"[^\s,\[\]{}()\"'=]+")


def read_settings(text: str, places: Places) -> list[str]:
    """Return the settings in a text, as a shell would divide it.

    Raises:
        Refusal: One is no setting, or names a file outside of the folder.
    """
    try:
        settings = shlex.split(text)
    except ValueError as error:
        raise Refusal(UNUSABLE, f"the settings cannot be read: {error}") from None
    for setting in settings:
        if not _SETTING.fullmatch(setting):
            raise Refusal(UNUSABLE, f"{cut(setting, 80)!r} is no setting; expected NAME=VALUE, such as epochs=5")
        _check_files(setting.partition("=")[2], places)
    return settings


def _check_files(value: str, places: Places) -> None:
    """Refuse a value that may name a file outside of the folder; TOML could hide a name behind backslashes."""
    if "\\" in value or "~" in value:
        raise Refusal(FORBIDDEN, "settings here have no backslash and no ~: files are named from the studio's folder")
    words = _WORD.findall(value)
    named = [word for word in words if "/" in word]
    present = [word for word in (value, *words) if word and exists(places.root / word)]  # noqa: PTH110
    for name in (*named, *present):
        places.find(name)
