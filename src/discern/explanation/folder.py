"""The folder of explanations: what is replaced there, the names of its figures, and its table."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from discern.errors import OUT, ConfigError, list_some
from discern.explanation.explained_picture import ExplainedPicture

TABLE_NAME = "explanations.csv"

BAD_FILES_NAME = "explanations.bad_files.csv"

_FIGURE_NAME = re.compile(r"[0-9]{3,}_[\w.-]*\.png")
_MAX_CHARACTERS = 60


def name_figures(ids: Sequence[str]) -> list[str]:
    """Return one file name for each id: unique by its number, and safe whatever the id contains."""
    digits = max(3, len(str(len(ids))))
    plain = [re.sub(r"[^A-Za-z0-9.-]+", "_", name.rsplit(".", 1)[0]).strip("._")[-_MAX_CHARACTERS:] for name in ids]
    return [f"{number:0{digits}d}_{name}.png" for number, name in enumerate(plain, start=1)]


def check_folder(folder: Path) -> None:
    """Raise before any work where the explanations cannot be written.

    Raises:
        ConfigError: It is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; ", OUT, " needs a folder")


def claim_folder(folder: Path, figures: Sequence[str], pictures: Iterable[str]) -> None:
    """Make the folder, and remove from it the figures that an earlier explanations.csv there lists.

    Raises:
        ConfigError: It is a file, or contains other files, or the pictures themselves, that would be replaced.
    """
    check_folder(folder)
    earlier = _list_earlier_figures(folder / TABLE_NAME)
    ours = {TABLE_NAME, *earlier} if earlier is not None else set()
    strange = [name for name in (TABLE_NAME, *figures) if name not in ours and (folder / name).exists()]
    replaced = {str((folder / name).resolve()) for name in ours}
    strange += [path for path in pictures if path and str(Path(path).resolve()) in replaced]
    if strange:
        raise ConfigError(
            f"{folder} has files that would be replaced and are no explanations, or are to be explained:\n"
            f"{list_some(strange)}\nGive another ",
            OUT,
            ".",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in earlier or ():
        (folder / name).unlink(missing_ok=True)


def _list_earlier_figures(table: Path) -> set[str] | None:
    """Return the figures that an earlier table names, if they have names of our form; None for another file."""
    try:
        cells = pd.read_csv(table, dtype="str", keep_default_na=False)
    except (OSError, ValueError):
        return None
    if not {"figure", "method", "predicted"} <= set(cells.columns):
        return None
    return {name for name in cells["figure"] if _FIGURE_NAME.fullmatch(name)}


def build_explanations(pictures: Sequence[ExplainedPicture], figures: Sequence[str], method: str) -> pd.DataFrame:
    """Return one row per picture: what it is, its figure, what was predicted, how familiar it is, and the targets."""
    columns: dict[str, list[object]] = {
        "id": [picture.id for picture in pictures],
        "path": [picture.path for picture in pictures],
        "figure": list(figures),
        "method": [method] * len(pictures),
        "predicted": [picture.predicted for picture in pictures],
        "confidence": [picture.confidence for picture in pictures],
        "familiarity": [picture.familiarity for picture in pictures],
        "unfamiliar": [picture.is_unfamiliar for picture in pictures],
        "true": [picture.true_name for picture in pictures],
    }
    for place in range(max((len(picture.classes) for picture in pictures), default=1)):
        columns[_number("target", place)] = [
            picture.classes[place].name if place < len(picture.classes) else None for picture in pictures
        ]
    return pd.DataFrame(columns)


def _number(name: str, place: int) -> str:
    return f"{name}_{place + 1}" if place else name
