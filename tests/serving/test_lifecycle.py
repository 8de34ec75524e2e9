"""A server from its start to its end: reload, leaving clients, several processes, and the commands' errors."""

import asyncio
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import weakref
from contextlib import contextmanager

import httpx
import pytest
from fastapi.testclient import TestClient

from discern.errors import BundleError, ConfigError
from discern.predictor.manifest import save_manifest
from discern.serving.app import create_app
from discern.serving.guard import Access
from discern.serving.options import name_runs
from discern.serving.workers import Workers
from discern.workflows.serve import serve
from hostile_files import PNG
from served import load_on_cpu, serving
from serving_files import draw, encode


@contextmanager
def discern_serve(*arguments):
    command = [sys.executable, "-m", "discern", "serve", *map(str, arguments), "--port", "0", "--device", "cpu"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        line = process.stdout.readline()
        address = line.split()[-1]
        assert address.startswith("http://127.0.0.1:"), line + process.stdout.read()
        wait_until(lambda: answers(address))
        yield process, address
    finally:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()


def answers(address):
    try:
        return httpx.get(f"{address}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(is_so):
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.1)
    raise AssertionError("it never was")


def rename_class(run, old, new):
    folder = run / "bundle"
    path = folder / "bundle.json"
    content = json.loads(path.read_text())
    content["class_names"] = [new if name == old else name for name in content["class_names"]]
    path.write_text(json.dumps(content))
    save_manifest(folder, [file.name for file in folder.iterdir() if file.name != "manifest.json"])


@pytest.fixture
def copied_run(run, tmp_path):
    shutil.copytree(run, tmp_path / "copied")
    return tmp_path / "copied"


def label(address):
    content = encode(draw("blue"))
    return httpx.post(f"{address}/predict", content=content, timeout=60).json()["pictures"][0]["label"]


def label_for_sure(address):
    """Ask again after a disconnection: a process that leaves may close a connection before the request arrives."""
    try:
        return label(address)
    except (httpx.RemoteProtocolError, httpx.ReadError):
        return label(address)


def test_a_reload_loses_no_request(copied_run):
    async def ask_all(address):
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            asked = [asyncio.create_task(client.post("/predict", content=PNG)) for _ in range(30)]
            reloaded = await client.post("/reload")
            asked += [asyncio.create_task(client.post("/predict", content=PNG)) for _ in range(30)]
            return reloaded, await asyncio.gather(*asked)

    with serving(create_app({"copied": copied_run}, load_on_cpu)) as address:
        assert label(address) == "blue"
        rename_class(copied_run, "blue", "azure")
        assert label(address) == "blue"
        reloaded, answered = asyncio.run(ask_all(address))
        assert reloaded.json() == {"models": ["copied"]}
        assert {answer.status_code for answer in answered} == {200}
        assert label(address) == "azure"


@pytest.fixture
def _no_collection_by_itself():
    """Leave garbage to the program; Python's own collection may come many reloads later."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collection_by_itself")
def test_a_reload_frees_the_old_network(run):
    networks = []

    def load_and_watch(folder):
        predictor = load_on_cpu(folder)
        networks.append((weakref.ref(predictor.bundle.classifier), weakref.ref(predictor._outputs.forward._network)))
        return predictor

    app = create_app({"run": run}, load_and_watch, access=Access(None, "secret"))
    with TestClient(app, headers={"Authorization": "Bearer secret"}) as client:
        for _ in range(2):
            assert client.post("/predict?max_error=0.8&explain=grad-cam&nearest=2", content=PNG).status_code == 200
            assert client.get("/model").status_code == 200
            assert client.post("/reload").json() == {"models": ["run"]}
        gone = [(network() is None, prepared() is None) for network, prepared in networks]
        assert gone == [(True, True), (True, True), (False, False)]


def test_a_damaged_bundle_is_not_taken(copied_run):
    with serving(create_app({"copied": copied_run}, load_on_cpu)) as address:
        (copied_run / "bundle" / "model.safetensors").write_bytes(b"damaged")
        refused = httpx.post(f"{address}/reload", timeout=60)
        assert refused.status_code == 422
        assert "nothing was changed" in refused.json()["error"]["reason"]
        assert label(address) == "blue"


def test_what_comes_through_a_proxy_is_not_this_machine(address):
    refused = httpx.post(f"{address}/reload", headers={"X-Forwarded-For": "127.0.0.1"})
    assert refused.status_code == 403


def test_clients_that_leave_in_the_middle_leave_nothing_behind(address):
    host, port = address.removeprefix("http://").split(":")
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
    for sent in (PNG[:100], PNG):
        for _ in range(10):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head % len(PNG) + sent)
    assert label(address) == "blue"
    wait_until(lambda: "discern_waiting_pictures 0.0" in httpx.get(f"{address}/metrics").text)


def test_the_command_reloads_on_sighup_and_finishes_what_it_took_and_waits_for_no_silent_client(copied_run):
    with discern_serve(f"mine={copied_run}") as (process, address):
        assert httpx.get(f"{address}/model").json()["models"] == ["mine"]
        rename_class(copied_run, "blue", "azure")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: label(address) == "azure")
        body = b"".join([PNG[:1000], PNG[1000:]])
        host, port = address.removeprefix("http://").split(":")
        with (
            socket.create_connection((host, int(port))) as silent,
            socket.create_connection((host, int(port))) as connection,
        ):
            connection.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body[:1000]
            )
            wait_until(lambda: answers(address))
            process.terminate()
            time.sleep(0.5)
            connection.sendall(body[1000:])
            answer = connection.makefile("rb").read()
            assert silent.makefile("rb").read() == b""
            assert process.wait(timeout=60) == -signal.SIGTERM
        assert answer.startswith(b"HTTP/1.1 200 OK")


def test_several_processes_answer_alike_and_all_of_them_reload(copied_run):
    with discern_serve(copied_run, "--workers", "2") as (_, address):
        assert {label(address) for _ in range(6)} == {"blue"}
        rename_class(copied_run, "blue", "azure")
        assert httpx.post(f"{address}/reload", timeout=60).json() == {"models": ["copied"]}
        wait_until(lambda: {label_for_sure(address) for _ in range(20)} == {"azure"})
        assert 'discern_pictures_total{model="copied",outcome="answered"}' in httpx.get(f"{address}/metrics").text


@pytest.mark.parametrize(
    ("came", "obeyed"),
    [
        ([signal.SIGHUP, signal.SIGHUP, signal.SIGHUP], ["reload"]),
        ([signal.SIGHUP, signal.SIGHUP, signal.SIGTERM], ["end"]),
    ],
)
def test_reloads_that_wait_are_done_once_and_not_before_the_end(monkeypatch, came, obeyed):
    done = []
    monkeypatch.setattr(Workers, "handle_hup", lambda _: done.append("reload"))
    monkeypatch.setattr(Workers, "handle_term", lambda _: done.append("end"))
    workers = Workers.__new__(Workers)
    workers.signal_queue = list(came)
    workers.handle_signals()
    assert (done, workers.signal_queue) == (obeyed, [])


def test_runs_are_named_by_their_folders_or_as_given(tmp_path):
    (tmp_path / "birds" / "bundle").mkdir(parents=True)
    folder = str(tmp_path / "birds" / "bundle")
    assert name_runs([folder, "mine=other/run"]) == {"birds": folder, "mine": "other/run"}
    with pytest.raises(ConfigError, match=f"two of the runs are called 'birds'; give them names: one={folder}"):
        name_runs([folder, str(tmp_path / "birds")])


def test_errors_of_the_command_are_told_in_a_line(run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "discern", "serve", str(run), "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"127.0.0.1:{port} cannot be served on: Address already in use" in done.stderr
    with pytest.raises(BundleError, match="holds no trained classifier"):
        serve([str(tmp_path)], port=0)


def test_a_missing_package_is_named_with_what_to_do(monkeypatch):
    from discern.serving import running

    monkeypatch.setattr(running, "_NEEDED", ("fastapi", "no_such_package"))
    with pytest.raises(ConfigError, match=r"no_such_package; install them with: pip install 'discern-vision\[serve\]'"):
        running.check_packages()
