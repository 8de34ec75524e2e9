"""The runtime of pages, from a registry on the loopback and from files: what is kept, what is refused, what is said."""

import hashlib
import io
import logging
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from discern.errors import ExportError
from discern.exporting import web_runtime
from discern.exporting.web_runtime import VERSION, keep_web_runtime, load_web_runtime

FILES = {"ort.wasm.bundle.min.mjs": b"library", "ort-wasm-simd-threaded.wasm": b"binary"}
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep the test's output clean."""


def write_archive(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {**files, "ort.webgpu.mjs": b"not needed"}.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def write_folder(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """The package in a registry of ours, with small files in place of the published ones."""
    path = write_archive(tmp_path / "registry" / "onnxruntime-web" / "-" / ARCHIVE, FILES)
    monkeypatch.setattr(web_runtime, "_ARCHIVE_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(web_runtime, "_SHA256", sums)
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))
    return path


@pytest.fixture
def registry(archive, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(archive.parents[2])))
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{server.server_port}/")
    yield server
    server.shutdown()
    server.server_close()


def test_it_is_fetched_once_and_then_kept(registry, archive, caplog):
    with caplog.at_level(logging.INFO, logger="discern"):
        assert load_web_runtime() == (b"library", b"binary")
    assert f"downloading 31.6 MiB of onnxruntime-web {VERSION}, once: http://127.0.0.1:" in caplog.text
    archive.unlink()
    assert load_web_runtime() == (b"library", b"binary")


def test_a_kept_file_that_was_changed_is_fetched_again(registry, tmp_path):
    load_web_runtime()
    kept = next((tmp_path / "home").rglob("*.wasm"))
    kept.write_bytes(b"changed")
    assert load_web_runtime() == (b"library", b"binary")
    assert kept.read_bytes() == b"binary"


def test_another_file_than_was_published_is_not_kept(registry, archive, tmp_path):
    write_archive(archive, {**FILES, "ort-wasm-simd-threaded.wasm": b"changed"})
    with pytest.raises(ExportError, match=r"sent another file than was published.*it was not kept"):
        load_web_runtime()
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("archive")
def test_without_a_network_the_error_says_how_to_bring_it(monkeypatch):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")
    with pytest.raises(ExportError, match="cannot be reached") as caught:
        load_web_runtime()
    told = f"fetch it with `npm pack onnxruntime-web@{VERSION}`, and give the file as "
    assert str(caught.value).endswith(f"{told}runtime=...")
    assert caught.value.for_command_line().endswith(f"{told}--runtime")


def test_a_file_or_a_folder_of_the_user_is_kept(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")
    keep_web_runtime(archive)
    assert load_web_runtime() == (b"library", b"binary")
    for place in ("node_modules/onnxruntime-web/dist", "plain"):
        monkeypatch.setenv("DISCERN_HOME", str(tmp_path / place / "home"))
        write_folder(tmp_path / place, FILES)
        keep_web_runtime(tmp_path / place.removesuffix("/dist"))
        assert load_web_runtime() == (b"library", b"binary")


def test_what_is_not_the_runtime_is_refused_with_what_to_give(archive, tmp_path):
    advice = f"give {ARCHIVE}, which `npm pack onnxruntime-web@{VERSION}` writes"
    (tmp_path / "text.tgz").write_text("no archive")
    write_folder(tmp_path / "half", {"ort.wasm.bundle.min.mjs": b"library"})
    write_folder(tmp_path / "other", {**FILES, "ort.wasm.bundle.min.mjs": b"version 2"})
    for name, reason in (
        ("gone", "no such file or folder"),
        ("text.tgz", "cannot be read as a .tgz file"),
        ("half", "has no ort-wasm-simd-threaded.wasm"),
        ("other", f"is not onnxruntime-web {VERSION}: the SHA-256 of ort.wasm.bundle.min.mjs differs"),
    ):
        with pytest.raises(ExportError, match=reason) as caught:
            keep_web_runtime(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert str(caught.value).endswith(advice)
    assert not (tmp_path / "home").exists()
