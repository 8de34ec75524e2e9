"""Labels that stand in the names of pictures, found by a pattern of the user's."""

import re
from collections.abc import Sequence

from discern.data.names import name_key
from discern.data.reading.supported_types import supported_extensions
from discern.errors import DataError, list_some


def read_names(names: Sequence[str], pattern: str, source: str) -> dict[str, list[str | None]]:
    r"""Return what a pattern finds in the names of pictures: the label of each, and its group if the pattern has one.

    A pattern has to match the end of a path, without its extension, from the beginning of the file's name or of one
    of its folders; the shortest end that it matches counts. So `(?P<label>.+)_\d+` reads the names of files, and
    `(?P<label>[^/]+)/\d+` the folders around them.

    Args:
        names: Names of files with their folders.
        pattern: A regular expression with the named group `label`, and perhaps `group`.
        source: What messages call the pictures.

    Raises:
        DataError: Names do not match; all are counted, and some are named.
    """
    compiled = re.compile(pattern)
    matches = [_match_end(compiled, name) for name in names]
    found = {
        kind: [(match[kind] or "").strip() or None if match else None for match in matches]
        for kind in compiled.groupindex
    }
    odd = [name for name, label in zip(names, found["label"], strict=True) if label is None]
    if odd:
        raise DataError(
            f"{source}: {len(odd)} of {len(names)} names do not match the pattern of labels {pattern}:\n"
            f"{list_some(odd)}\nIt has to match the end of a path, without extension, from the beginning of a name: "
            r"(?P<label>.+)_\d+ finds red in red_1.png, and (?P<label>[^/]+)/\d+ in red/1.png. Change it, or move "
            "these pictures away."
        )
    return found


def _match_end(pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
    path = name_key(name)
    extension = next((end for end in supported_extensions() if path.lower().endswith(end)), "")
    parts = path[: len(path) - len(extension)].split("/")
    ends = ("/".join(parts[start:]) for start in reversed(range(len(parts))))
    return next((match for one in ends if (match := pattern.fullmatch(one))), None)
