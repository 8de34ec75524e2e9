"""When two ways of writing the name of a picture, a class or a folder mean the same."""

import unicodedata
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd


def name_key(name: str) -> str:
    r"""Return the form under which names are compared: composed Unicode (NFC), with `/` between folders.

    A disk may keep `é` as one letter or as `e` with an accent, and a table may come from Windows: `images\red\1.png`.
    A file is opened by its real name, never by this one.
    """
    name = name.replace("\\", "/")
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def match_names(wanted: Iterable[str], known: Iterable[str], *, ends: bool = False) -> npt.NDArray[np.int64]:
    """Return the place of each wanted name among the known ones, which are all different; -1 where there is none.

    The name as it is written goes first. Otherwise names with one key match, if only one of the known ones has it; and
    with `ends`, the longest end of a wanted path that is a known name, such as `red/1.png` of `/old/place/red/1.png`.
    An end without a folder counts only where no known name has one.
    """
    names, known = list(wanted), list(known)
    places = pd.Index(known, dtype="str").get_indexer(pd.Index(names, dtype="str")).astype(np.int64)
    missing = np.flatnonzero(places < 0).tolist()
    if missing:
        by_key: dict[str, int] = {}
        for place, key in enumerate(map(name_key, known)):
            by_key[key] = -1 if key in by_key else place
        min_parts = 2 if any("/" in key for key in by_key) else 1
        for row in missing:
            forms = _list_ends(names[row], min_parts) if ends else [name_key(names[row])]
            places[row] = next((by_key[form] for form in forms if form in by_key), -1)
    return places


def _list_ends(name: str, min_parts: int) -> list[str]:
    """Return the key of a name and then its ends, the longest first, with no fewer than so many parts."""
    parts = name_key(name).split("/")
    return ["/".join(parts[start:]) for start in range(len(parts)) if start == 0 or len(parts) - start >= min_parts]
