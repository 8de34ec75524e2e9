"""Servers of a run, for tests: within the process, and on a port of this machine."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi.testclient import TestClient

from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.serving.app import create_app
from discern.serving.running import describe_uvicorn, open_listener

_ENDING_SECONDS = 30


def load_on_cpu(folder: Path) -> Predictor:
    return load(folder, device="cpu")


@contextmanager
def open_client(run: Path, **options) -> Iterator[TestClient]:
    app = create_app({"colours": run}, load_on_cpu, **options)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


@contextmanager
def serving(app, **settings) -> Iterator[str]:
    """Serve an application on a free port of this machine, and yield its address."""
    with open_listener("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, **(describe_uvicorn() | settings)))
        # Not waited for without end: what a server does when it is stopped has tests of its own.
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while thread.is_alive() and not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_ENDING_SECONDS)
