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


def match_names(wanted: Iterable[str], known: Iterable[str]) -> npt.NDArray[np.int64]:
    """Return the place of each wanted name among the known ones, which are all different; -1 where there is none.

    The name as it is written goes first. Otherwise names with one key match, if only one of the known ones has it.
    """
    names, known = list(wanted), list(known)
    places = pd.Index(known, dtype="str").get_indexer(pd.Index(names, dtype="str")).astype(np.int64)
    missing = np.flatnonzero(places < 0)
    if len(missing):
        by_key: dict[str, int] = {}
        for place, key in enumerate(map(name_key, known)):
            by_key[key] = -1 if key in by_key else place
        places[missing] = [by_key.get(name_key(names[row]), -1) for row in missing]
    return places
