"""Pictures that lie in the folder of a table but are in none of its rows."""

from pathlib import Path

from discern.auditing.findings import Finding, Item, build_finding
from discern.data.sources.kinds import find_root, lists_files
from discern.data.sources.load import Source
from discern.data.sources.walk import walk_folder
from discern.data.table import ImageTable


def find_unlisted_files(source: Source, table: ImageTable, image_root: Path | None) -> list[Finding]:
    """Return the finding for files in the folder of a table's pictures that no row names.

    `image_root` is the folder that picture names start from; None for the folder of the table.
    """
    if not isinstance(source, str | Path) or not lists_files(Path(source)):
        return []
    root = find_root(image_root or Path(source))
    named = {str(Path(path).absolute()) for path in table.frame["path"]}
    unlisted = [name for name in walk_folder(root).pictures if str((root / name).absolute()) not in named]
    items = [Item((name,), (name,), (), (), f"in {root}, in no row") for name in unlisted]
    return build_finding(
        "unlisted_files", "note", "pictures that no row names", "They are not used. Add rows for them.", items
    )
