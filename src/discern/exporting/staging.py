"""A file that appears in its place only when it is complete and accepted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from discern.files import replacing


@contextmanager
def staging(file: Path) -> Iterator[Path]:
    """Yield a path of the same name in another folder; at the end it takes its place, after an error it is removed."""
    with replacing(file) as place, TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        staged = Path(folder) / file.name
        yield staged
        staged.replace(place)
