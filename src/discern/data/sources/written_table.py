"""The setting, or lines of Python, that say the classes of a folder where no rule finds them, for messages."""

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from discern.errors import Advice, Option, data_setting, name_some

_FILE = "discern_labels.csv"
_NAME_FORMS = (
    r"(?P<label>[^\\/]+)_\d+",  # cat_1
    r"(?P<label>[^\W\d_][^\\/]*?)[\s_.-]*\(?[0-9]+\)?",  # cat.1, cat (1), cat1
    r"[0-9]+[\s_.-]+(?P<label>[^\W\d_][^\\/]*)",  # 1_cat
    r"(?P<label>[^\s_.\\/-]+)[\s_.-][^\\/]*",  # cat_left_a3f
    r"[^\\/]*[\s_.-](?P<label>[^\s_.\\/-]+)",  # left_a3f_cat
)
_MIN_SHARE = 0.9
"""Of the names that a form must fit, so that a cover picture among them does not matter."""


def show_labels_in_names(place: str, pictures: Sequence[str], *, with_splits: bool = False) -> Advice:
    """Return how to go on with pictures whose names may hold their classes; it begins on a new line.

    Args:
        place: The folder.
        pictures: Names relative to it, with `/`.
        with_splits: Whether the outermost folders are the splits.
    """
    names = [PurePath(name) for name in pictures]
    for form in _NAME_FORMS:
        pairs = [(found["label"], name.name) for name in names if (found := re.fullmatch(form, name.stem))]
        examples = dict(reversed(pairs))
        if len(pairs) >= _MIN_SHARE * len(names) and 2 <= len(examples) <= max(2, len(pairs) // 2):
            classes = name_some([f"{label} ({examples[label]})" for label in dict(pairs)])
            said = f"\nThe names seem to hold the classes {classes}. "
            if len(pairs) == len(names) and not with_splits:
                return (f"{said}Set ", _show_setting(form), ".")
            labels = rf"names.extract(r'(?:^|[\\/]){form}\.\w+$', expand=False)"
            return (said + _write_code(place, pictures, [f"labels = {labels}"], with_splits=with_splits),)
    return (f"\nSuch a CSV begins with\n  image,label\n  {pictures[0]},CLASS",)


def _show_setting(form: str) -> Option:
    pattern = form.replace(r"[^\\/]", ".")  # the names of folders are not searched for it where the file's fits
    return data_setting("label_pattern", pattern)._replace(python=f'label_pattern=r"{pattern}"')


def show_levels(place: str, pictures: Sequence[str], levels: Sequence[tuple[int, str]], *, with_splits: bool) -> str:
    """Return how to go on where folders of several levels may be the classes.

    Args:
        place: The folder.
        pictures: Names relative to it, with `/`.
        levels: How many folders lie around those that may be the classes, and their names; the likeliest first.
        with_splits: Whether the outermost folders are the splits.
    """
    lines = [f"labels = {_take_part(place, level)}  # the classes {names}" for level, names in levels]
    lines = [lines[0], *(f"# {line}" for line in lines[1:])]
    return _write_code(place, pictures, lines, with_splits=with_splits)


def _write_code(place: str, pictures: Sequence[str], labels: Sequence[str], *, with_splits: bool) -> str:
    """Return lines of Python that write a table of the pictures below a folder, and how to use it.

    `labels` are the lines that make the labels from `names`; a picture without one is left out.
    """
    types = sorted({suffix for name in pictures if (suffix := PurePath(name).suffix)})
    start = str(Path(glob.escape(place)) / "**" / "*")
    split = f", 'split': {_take_part(place, 0)}" if with_splits else ""
    lines = [
        "import glob, pandas as pd",
        f"files = sorted(file for end in {types} for file in glob.glob({start!r} + end, recursive=True))",
        "names = pd.Series(files).str",
        *labels,
        f"table = pd.DataFrame({{'image': files, 'label': labels{split}}})",
        f"table.dropna().to_csv({_FILE!r}, index=False)",
    ]
    shown = "\n".join(f"  {line}" for line in lines)
    return f"These lines of Python write {_FILE}, to give instead of the folder:\n{shown}"


def _take_part(place: str, level: int) -> str:
    return f"names.split({os.sep!r}).str[{len(Path(place).parts) + level}]"
