"""Tar shards for tests, written by the standard library."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path


def write_shard(shard: Path, files: Iterable[tuple[str, bytes]], *, form: int = tarfile.PAX_FORMAT) -> Path:
    """Write files, each a name and its content, into a tar file."""
    shard.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(shard, "w", format=form) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return shard


def write_shards(photos: Path, folder: Path, *, per_shard: int, kind: str = "cls") -> list[str]:
    """Write the pictures of a folder of class folders as shards `train-000.tar` and so on; return the classes."""
    pictures = sorted(photos.rglob("*.png"), key=lambda path: (path.stem, path.parent.name))
    classes = sorted({path.parent.name for path in pictures})
    for start in range(0, len(pictures), per_shard):
        files = []
        for place, path in enumerate(pictures[start : start + per_shard], start):
            label = {
                "cls": str(classes.index(path.parent.name)),
                "txt": f"{path.parent.name}\n",
                "json": f'{{"label": "{path.parent.name}", "width": 40}}',
            }[kind]
            files += [(f"{place:06}.png", path.read_bytes()), (f"{place:06}.{kind}", label.encode())]
        write_shard(folder / f"train-{start // per_shard:03}.tar", files)
    return classes
