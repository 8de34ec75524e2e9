"""A file that appears in its place only when it is complete and accepted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree

from discern.files import replacing
from discern.leftovers import name_unfinished


@contextmanager
def staging(file: Path) -> Iterator[Path]:
    """Yield a path of the same name in another folder; at the end it takes its place, after an error it is removed."""
    with replacing(file) as place:
        folder = name_unfinished(file.with_name(f"{file.name}.folder"))
        folder.mkdir(exist_ok=True)
        try:
            staged = folder / file.name
            yield staged
            staged.replace(place)
        finally:
            rmtree(folder, ignore_errors=True)
