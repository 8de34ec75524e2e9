"""Tells a file that is given for the first time from one that is given again, by whatever way to its folder."""

import os

from discern.data.stored_pictures import find_member, is_remote


class SeenFiles:
    """The files that were given, known by their real folders and own names; `num_repeated` times one came again.

    A link to a file under another name is a file of its own, since somebody may look up either name.
    """

    def __init__(self) -> None:
        self.num_repeated = 0
        self._rows: dict[str, int] = {}
        self._real_folders: dict[str, str] = {}

    def find_row(self, path: str, row: int) -> int:
        """Return the row that a file has from the first time it was given; `row` for one that is new."""
        first = self._rows.setdefault(self._find_place(path), row)
        self.num_repeated += first != row
        return first

    def _find_place(self, path: str) -> str:
        if is_remote(path) or find_member(path) is not None:
            return path
        folder, name = os.path.split(path)
        # Asked once for each folder, since a million files take a while.
        if folder not in self._real_folders:
            self._real_folders[folder] = os.path.realpath(folder)
        return os.path.join(self._real_folders[folder], name)  # noqa: PTH118 - making a Path takes longer
