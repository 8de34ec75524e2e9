"""Names of folders for classes: every system takes them, and they say which class is meant."""

import re
import unicodedata
from collections.abc import Collection, Iterable

_UNSAFE = re.compile(r'[%/\\:*?"<>|\x00-\x1f\x7f]|^[. ]|[. ]$')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


def name_class_folders(class_names: Iterable[str], *, taken: Collection[str] = ()) -> dict[str, str]:
    """Return the name of each class's folder: that of the class, where all systems can have it beside the others.

    A character that cannot be in the name of a file is written as in an address, such as `%2F` for `/`; so is the whole
    name of a class that differs from an earlier one, or from a name that is `taken`, in case alone, and the first
    letter of what Windows keeps for devices. `urllib.parse.unquote` reverses this.
    """
    used = {_fold(name) for name in taken}
    folders = {}
    for name in class_names:
        folder = _UNSAFE.sub(lambda found: _encode(found[0]), name)
        if _DEVICE.match(folder):
            folder = _encode(folder[0]) + folder[1:]
        if _fold(folder) in used:
            folder = _encode(name)
        used.add(_fold(folder))
        folders[name] = folder
    return folders


def _encode(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
