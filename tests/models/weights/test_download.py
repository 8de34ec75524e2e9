"""Downloads, from a server on the loopback: what is kept, what is refused, and what an error says."""

import hashlib
import io
import shutil
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
import torchvision
from safetensors.torch import save

from discern.errors import ConfigError, WeightsError
from discern.files import describe_bytes
from discern.models.backbone import build_backbone
from discern.models.weights import catalog as weights_catalog
from discern.models.weights.pretrained import fetch_weights, is_cached, list_weights, load_pretrained

HUB_PATH = "/timm/mobilenetv2_100.ra_in1k/resolve/main/model.safetensors"


class Server(ThreadingHTTPServer):
    """Serves `files`; a value may be bytes, a status, or the place it redirects to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes | int | str] = {}
        self.asked: list[str] = []
        self.asked_about: list[str] = []
        self.is_hub = True
        self.claimed_bytes: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.answer(sends_body=True)

    def do_HEAD(self) -> None:
        self.server.asked_about.append(self.path)
        self.answer(sends_body=False)

    def answer(self, *, sends_body: bool) -> None:
        answer = self.server.files.get(self.path, 404)
        if isinstance(answer, int):
            self.send_error(answer)
        elif isinstance(answer, str):
            self.send_response(302)
            self.send_header("Location", answer)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(self.server.claimed_bytes or len(answer)))
            if self.server.is_hub:
                self.send_header("ETag", f'"{hashlib.sha256(answer).hexdigest()}"')
                self.send_header("X-Repo-Commit", "0" * 40)
            self.end_headers()
            if sends_body:
                self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(autouse=True)
def hub_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the Hugging Face Hub of its own; its client does not wait between two attempts."""
    folder = tmp_path_factory.mktemp("hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("time.sleep", lambda _: None)
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        use_mirror(monkeypatch, server.url)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dead_mirror(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a port at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    use_mirror(monkeypatch, url)
    return url


def use_mirror(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DISCERN_WEIGHTS_URL", f"{url}/models/")
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def resnet18_file() -> bytes:
    torch.manual_seed(0)
    buffer = io.BytesIO()
    torch.save(torchvision.models.resnet18(num_classes=2).state_dict(), buffer)
    return buffer.getvalue()


@pytest.fixture
def resnet18_name(resnet18_file: bytes, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the drawn file in the catalog, named after its own checksum as torchvision names its files."""
    name = f"resnet18-{hashlib.sha256(resnet18_file).hexdigest()[:8]}.pth"
    monkeypatch.setitem(weights_catalog._TORCHVISION_FILES, "resnet18", {"imagenet-v1": name})
    return name


@pytest.fixture(scope="module")
def mobilenet_file() -> bytes:
    return save(build_backbone("timm:mobilenetv2_100").network.state_dict())


def test_download_is_loaded_recorded_and_not_repeated(
    server: Server, resnet18_name: str, resnet18_file: bytes, tmp_path: Path
) -> None:
    server.files[f"/models/{resnet18_name}"] = resnet18_file
    backbone = build_backbone("resnet18")
    record = load_pretrained(backbone, "imagenet", cache_folder=tmp_path / "weights")
    published = torch.load(io.BytesIO(resnet18_file), weights_only=True)
    assert torch.equal(backbone.network.layer4[1].conv2.weight, published["layer4.1.conv2.weight"])
    assert record.source == f"{server.url}/models/{resnet18_name}"
    assert record.sha256 == hashlib.sha256(resnet18_file).hexdigest()
    assert record.unused == ("fc.weight", "fc.bias")
    assert "BSD-3-Clause" in record.note

    load_pretrained(build_backbone("resnet18"), "imagenet-v1", cache_folder=tmp_path / "weights")
    assert server.asked == [f"/models/{resnet18_name}"]
    assert [path.name for path in (tmp_path / "weights").iterdir()] == [resnet18_name]


def test_cached_weights_need_no_network(
    dead_mirror: str, resnet18_name: str, resnet18_file: bytes, tmp_path: Path
) -> None:
    (tmp_path / resnet18_name).write_bytes(resnet18_file)
    record = load_pretrained(build_backbone("resnet18"), "imagenet", cache_folder=tmp_path)
    assert record.source == f"{dead_mirror}/models/{resnet18_name}"


def test_fetch_gives_the_path_and_shows_nothing_off_a_terminal(
    server: Server,
    resnet18_name: str,
    resnet18_file: bytes,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.files[f"/models/{resnet18_name}"] = resnet18_file
    caplog.set_level("INFO", "discern")
    for name in ("resnet18", "resnet18/imagenet-v1"):
        path = fetch_weights(name, tmp_path)
        assert path == tmp_path / resnet18_name
        assert path.read_bytes() == resnet18_file
    assert capfd.readouterr() == ("", "")
    url = f"{server.url}/models/{resnet18_name}"
    assert caplog.messages == [f"downloading 44.7 MiB of weights, once: {url}, kept as {tmp_path / resnet18_name}"]


def test_wrong_checksum_leaves_nothing_behind(
    server: Server, resnet18_name: str, resnet18_file: bytes, tmp_path: Path
) -> None:
    server.files[f"/models/{resnet18_name}"] = resnet18_file[:-1] + b"?"
    message = rf'SHA-256 differs .*expected "{resnet18_name[9:17]}", got "\w+"\)\); it was not kept\. Fetch it where'
    with pytest.raises(WeightsError, match=message):
        fetch_weights("resnet18", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("dead_mirror")
def test_damaged_cache_is_noticed(resnet18_name: str, tmp_path: Path) -> None:
    (tmp_path / resnet18_name).write_bytes(b"half a file")
    with pytest.raises(
        WeightsError, match=r"is damaged: .* Delete it and run `discern weights fetch resnet18/imagenet-v1`"
    ):
        load_pretrained(build_backbone("resnet18"), "imagenet", cache_folder=tmp_path)


def test_cut_connection_leaves_nothing_behind(
    server: Server, resnet18_name: str, resnet18_file: bytes, tmp_path: Path
) -> None:
    server.files[f"/models/{resnet18_name}"] = resnet18_file[:1000]
    server.claimed_bytes = len(resnet18_file)
    with pytest.raises(
        WeightsError, match=r"sent another file than was published, or a part of it: .*; it was not kept\."
    ):
        fetch_weights("resnet18", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [404, 500])
def test_the_servers_refusal_is_in_the_message(server: Server, resnet18_name: str, status: int, tmp_path: Path) -> None:
    server.files[f"/models/{resnet18_name}"] = status
    with pytest.raises(WeightsError, match=rf"{server.url}/models/{resnet18_name} answered {status} \("):
        fetch_weights("resnet18", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [401, 404, 500])
def test_the_hubs_refusal_is_in_the_message(server: Server, status: int, hub_cache: Path, tmp_path: Path) -> None:
    server.files[HUB_PATH] = status
    with pytest.raises(WeightsError, match=rf"{server.url}{HUB_PATH} answered {status} \(.*Fetch it where there is"):
        fetch_weights("timm:mobilenetv2_100", tmp_path)
    assert server.asked == []
    assert not list(hub_cache.rglob("model.safetensors"))


def test_a_cut_connection_to_the_hub_leaves_no_file(
    server: Server, mobilenet_file: bytes, hub_cache: Path, tmp_path: Path
) -> None:
    server.files[HUB_PATH] = mobilenet_file[:1000]
    server.claimed_bytes = len(mobilenet_file)
    with pytest.raises(WeightsError, match=rf"{server.url}{HUB_PATH} cannot be reached or broke off \(.*Fetch it"):
        fetch_weights("timm:mobilenetv2_100", tmp_path)
    assert not list(hub_cache.rglob("model.safetensors"))
    assert not list(hub_cache.rglob("blobs/*"))
    assert not is_cached("timm:mobilenetv2_100", "imagenet")


@pytest.mark.parametrize("name", ["resnet50", "timm:mobilenetv2_100"])
def test_no_network_names_the_address_and_the_ways_out(dead_mirror: str, name: str, tmp_path: Path) -> None:
    backbone = build_backbone(name)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    place = "in the cache of the Hugging Face Hub" if name.startswith("timm:") else f"as {tmp_path}/"
    message = (
        rf"{dead_mirror}/.* cannot be reached .*\(.*refused.*\)\. Fetch it where there is a network "
        rf"\(`discern weights fetch {name}\S+` keeps it {place}.*model\.weights=PATH.*model\.weights=none"
    )
    with pytest.raises(WeightsError, match=message):
        load_pretrained(backbone, "imagenet", cache_folder=tmp_path)
    assert all(torch.equal(tensor, before[key]) for key, tensor in backbone.state_dict().items())


def test_timm_weights_come_from_the_hub_through_its_redirect(
    server: Server, mobilenet_file: bytes, hub_cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.files = {HUB_PATH: "/storage/abc", "/storage/abc": mobilenet_file}
    caplog.set_level("INFO", "discern")
    backbone = build_backbone("timm:mobilenetv2_100")
    record = load_pretrained(backbone, "imagenet", cache_folder=tmp_path)
    assert server.asked_about == [HUB_PATH, "/storage/abc"] * 2  # for the size, and by the download
    assert f"downloading {describe_bytes(len(mobilenet_file))} of weights, once: {server.url}" in caplog.text
    assert server.asked == ["/storage/abc"]
    assert record.source == server.url + HUB_PATH
    assert record.sha256 == hashlib.sha256(mobilenet_file).hexdigest()
    assert record.note == "timm, apache-2.0"
    asked = len(server.asked) + len(server.asked_about)
    path = fetch_weights("timm:mobilenetv2_100.ra_in1k", tmp_path)
    assert path.read_bytes() == mobilenet_file
    assert path.is_relative_to(hub_cache / "models--timm--mobilenetv2_100.ra_in1k")
    assert is_cached("timm:mobilenetv2_100", "imagenet")
    assert len(server.asked) + len(server.asked_about) == asked


def test_files_that_other_programs_left_in_the_cache_of_the_hub_need_no_network(
    dead_mirror: str, mobilenet_file: bytes, hub_cache: Path, tmp_path: Path
) -> None:
    assert not is_cached("timm:mobilenetv2_100", "imagenet")
    repository = hub_cache / "models--timm--mobilenetv2_100.ra_in1k"
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc" / "model.safetensors").write_bytes(mobilenet_file)
    assert is_cached("timm:mobilenetv2_100", "imagenet")
    record = load_pretrained(build_backbone("timm:mobilenetv2_100"), "imagenet", cache_folder=tmp_path)
    assert record.source == dead_mirror + HUB_PATH


def test_the_hub_is_not_asked_where_the_user_is_offline(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"was not asked, because HF_HUB_OFFLINE is set, and the file is not here\."):
        fetch_weights("timm:mobilenetv2_100", tmp_path)
    assert server.asked == server.asked_about == []


def test_weights_are_cached_where_a_file_is_there(resnet18_name: str, tmp_path: Path) -> None:
    assert not is_cached("resnet18", "imagenet", cache_folder=tmp_path)
    (tmp_path / resnet18_name).touch()
    assert is_cached("resnet18", "imagenet", cache_folder=str(tmp_path))
    assert not is_cached("resnet18", "imagenet-v2", cache_folder=tmp_path)
    assert not is_cached("resnet18-half", "imagenet", cache_folder=tmp_path)
    assert is_cached("resnet50", tmp_path / resnet18_name)
    assert not is_cached("resnet50", str(tmp_path / "missing.pth"))
    assert not is_cached("resnet50", "none")
    assert not is_cached("timm:no_such_network", "imagenet")


@pytest.mark.parametrize("is_hub", [True, False])
def test_page_in_place_of_weights_is_not_kept(server: Server, is_hub: bool, hub_cache: Path, tmp_path: Path) -> None:
    server.is_hub = is_hub
    server.files[HUB_PATH] = b"<html>Please log in to the hotel's network</html>"
    with pytest.raises(WeightsError, match=r"did not send weights; nothing was kept\. Fetch it"):
        fetch_weights("timm:mobilenetv2_100", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not list(hub_cache.rglob("model.safetensors"))
    assert not list(hub_cache.rglob("blobs/*"))


def test_address_that_is_not_http_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DISCERN_WEIGHTS_URL", "file:///etc")
    with pytest.raises(WeightsError, match="is no http or https address"):
        fetch_weights("resnet18", tmp_path)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("resnet18/imagenet-v2", WeightsError, "No 'imagenet-v2' is published for resnet18; there is imagenet-v1"),
        ("resnet18-half", WeightsError, "No weights are published for 'resnet18-half', only for resnet18, "),
        (
            "timm:mobilenetv2_100/imagenet-v1",
            WeightsError,
            r"choose the weights by timm's tag, as in timm:mobilenetv2_100\.TAG",
        ),
        ("timm:resnet10", ConfigError, "timm has no network 'resnet10'; nearest: "),
        ("timm:test_nothing.at_all", ConfigError, "timm has no network 'test_nothing'"),
    ],
)
def test_unpublished_names_are_refused_before_any_download(
    server: Server, name: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        fetch_weights(name, tmp_path)
    assert server.asked == []


def test_list_shows_ours_and_the_cached_ones_of_timm(
    server: Server, resnet18_name: str, resnet18_file: bytes, mobilenet_file: bytes, hub_cache: Path, tmp_path: Path
) -> None:
    names = [row.name for row in list_weights(tmp_path)]
    assert names[0] == "resnet18/imagenet-v1"
    assert {"resnet50/imagenet-v1", "resnet50/imagenet-v2", "resnet152/imagenet-v2"} < set(names)
    assert not any(row.path for row in list_weights(tmp_path / "not_made_yet"))

    server.files = {f"/models/{resnet18_name}": resnet18_file, HUB_PATH: mobilenet_file}
    fetch_weights("resnet18", tmp_path)
    fetch_weights("timm:mobilenetv2_100", tmp_path)
    shutil.copytree(hub_cache / "models--timm--mobilenetv2_100.ra_in1k", hub_cache / "models--timm--gone_from_timm")
    cached = [row for row in list_weights(tmp_path) if row.path]
    assert [row.name for row in cached] == ["resnet18/imagenet-v1", "timm:mobilenetv2_100.ra_in1k"]
    assert all(row.path.is_file() and row.url.startswith(server.url) and row.note for row in cached)


def test_list_shows_the_users_own_files_under_their_networks(hub_cache: Path, tmp_path: Path) -> None:
    for name in ("resnet50", "timm:resnet50", "mobilenetv2_100.ra_in1k", ".hidden"):
        (tmp_path / f"{name}.safetensors").touch()
    own = [row for row in list_weights(tmp_path) if row.path]
    assert [row.backbone for row in own] == ["timm:mobilenetv2_100.ra_in1k", "resnet50", "timm:resnet50"]
    assert all(row.weights == str(row.path) and row.note == "your own file" and not row.url for row in own)
