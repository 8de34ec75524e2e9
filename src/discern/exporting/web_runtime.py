"""onnxruntime-web, with which an HTML file computes: one version, fetched once from the npm registry and then kept."""

import hashlib
import logging
import os
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

from discern.download import DownloadError, download_file
from discern.errors import ExportError, option
from discern.files import discern_home, write_atomically

logger = logging.getLogger("discern")

VERSION = "1.30.0"
NAME = f"onnxruntime-web {VERSION}"
_ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
_ARCHIVE_SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
_REGISTRY = "https://registry.npmjs.org"
_LIBRARY, _BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
_SHA256 = {
    _LIBRARY: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    _BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_PACK = f"`npm pack onnxruntime-web@{VERSION}`"
_GIVE = f"give {_ARCHIVE}, which {_PACK} writes"


class WebRuntime(NamedTuple):
    """Both files of the runtime: the library in JavaScript, and the binary that it starts."""

    library: bytes
    binary: bytes


def load_web_runtime() -> WebRuntime:
    """Return the runtime from DISCERN_HOME; where it is not there, it is fetched, which the log says.

    `NPM_CONFIG_REGISTRY` names another registry than npm's own, as it does for npm.

    Raises:
        ExportError: It cannot be fetched.
    """
    folder = _home()
    if all((folder / name).is_file() for name in _SHA256):
        kept = {name: (folder / name).read_bytes() for name in _SHA256}
        if not _find_changed(kept):
            return WebRuntime(kept[_LIBRARY], kept[_BINARY])
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or _REGISTRY
    url = f"{registry.rstrip('/')}/onnxruntime-web/-/{_ARCHIVE}"
    logger.info("downloading 31.6 MiB of %s, once: %s, kept in %s", NAME, url, folder)
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary) / _ARCHIVE
        try:
            download_file(url, archive, _ARCHIVE_SHA256)
        except DownloadError as error:
            raise ExportError(
                f"{error}. A page needs {NAME}: where there is a network, fetch it with {_PACK}, and give the file as ",
                option("runtime"),
            ) from error
        return keep_web_runtime(archive)


def keep_web_runtime(path: Path) -> WebRuntime:
    """Check the runtime of the user, keep it in DISCERN_HOME for all exports, and return it.

    Args:
        path: The package as `npm pack` writes it, or a folder with its files, such as node_modules/onnxruntime-web.

    Raises:
        ExportError: It is not there, or not the version that is known here.
    """
    if not path.exists():
        raise ExportError(f"{path}: no such file or folder; {_GIVE}")
    found = _read_folder(path) if path.is_dir() else _read_archive(path)
    missing = [name for name in _SHA256 if name not in found]
    if missing:
        raise ExportError(f"{path} has no {' and no '.join(missing)}; {_GIVE}")
    changed = _find_changed(found)
    if changed:
        raise ExportError(f"{path} is not {NAME}: the SHA-256 of {' and '.join(changed)} differs; {_GIVE}")
    folder = _home()
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in found.items():
        write_atomically(folder / name, content)
    return WebRuntime(found[_LIBRARY], found[_BINARY])


def _home() -> Path:
    return discern_home() / "runtimes" / f"onnxruntime-web-{VERSION}"


def _find_changed(found: dict[str, bytes]) -> list[str]:
    return [name for name, content in found.items() if hashlib.sha256(content).hexdigest() != _SHA256[name]]


def _read_folder(folder: Path) -> dict[str, bytes]:
    places = (folder / "dist", folder)
    files = {name: next((place / name for place in places if (place / name).is_file()), None) for name in _SHA256}
    return {name: file.read_bytes() for name, file in files.items() if file is not None}


def _read_archive(path: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: archive.extractfile(member) for member in archive}
            return {name: file.read() for name, file in members.items() if name in _SHA256 and file is not None}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ExportError(f"{path} cannot be read as a .tgz file: {error}; {_GIVE}") from None
