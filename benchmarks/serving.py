"""Requests a second and waiting times, of our server and of a plain one, for several numbers of clients."""

import http.client
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

REQUESTS = {1: 40, 8: 96, 32: 160}
"""Requests by the number of clients that send them at the same time."""

_WARM_UP = 16
_BOUNDARY = "benchmark"


class Load(NamedTuple):
    """Measured requests: how many a second, and the time within which 50 % and 99 % of them were answered."""

    requests_per_second: float
    p50_seconds: float
    p99_seconds: float


def compare_servers(job: str, run: Path, pictures: Sequence[Path], repeats: int) -> None:
    """Print a line for each number of clients; both servers run all the time and are measured alternately."""
    bodies = [build_form(path.read_bytes()) for path in pictures]
    ours = [sys.executable, "-m", "discern", "serve", str(run)]
    plain = [sys.executable, "-m", "benchmarks.plain_server", str(run)]
    with serving(ours) as (our_port, _), serving(plain) as (plain_port, _):
        for port in (our_port, plain_port):
            put_load_on(port, bodies, 8, _WARM_UP)
        for clients, requests in REQUESTS.items():
            found: dict[int, list[Load]] = {our_port: [], plain_port: []}
            for _, port in itertools.product(range(repeats), (plain_port, our_port)):
                found[port].append(put_load_on(port, bodies, clients, requests))
            _print_comparison(job, clients, found[our_port], found[plain_port])


@contextmanager
def serving(command: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Start a server on a free port of this machine; yield the port and the process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(  # noqa: S603 - commands of our own
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    )
    try:
        for _ in range(600):
            if is_ready(port) or process.poll() is not None:
                break
            time.sleep(0.1)
        if process.poll() is not None:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def put_load_on(port: int, bodies: Sequence[bytes], clients: int, requests: int) -> Load:
    """Send the requests from several clients, each with its own connection and one request at a time."""
    work = iter(range(requests))

    def ask() -> list[float]:
        connection, seconds = http.client.HTTPConnection("127.0.0.1", port, timeout=120), []
        for number in work:
            started = time.perf_counter()
            status, _ = post(connection, bodies[number % len(bodies)])
            if status != http.client.OK:
                sys.exit(f"a request was answered with {status}")
            seconds.append(time.perf_counter() - started)
        connection.close()
        return seconds

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        seconds = [one for future in [pool.submit(ask) for _ in range(clients)] for one in future.result()]
    elapsed = time.perf_counter() - started
    return Load(requests / elapsed, median(seconds), quantiles(seconds, n=100)[98])


def post(connection: http.client.HTTPConnection, form: bytes) -> tuple[int, bytes]:
    """Send a form with a picture, and return status and body of the answer."""
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    connection.request("POST", "/predict", form, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def build_form(content: bytes) -> bytes:
    """Return a form with one file."""
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="picture.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()


def is_ready(port: int) -> bool:
    """Return whether a server on this machine answers that it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _print_comparison(job: str, clients: int, ours: Sequence[Load], plain: Sequence[Load]) -> None:
    ratio = median(load.requests_per_second for load in ours) / median(load.requests_per_second for load in plain)
    print(
        f"{job}, {clients} clients: {ratio:.2f} times the requests of a plain handler; ours {_describe(ours)}; plain "
        f"{_describe(plain)}; {len(ours)} runs each, alternately",
        flush=True,
    )


def _describe(loads: Sequence[Load]) -> str:
    rates = [load.requests_per_second for load in loads]
    p50, p99 = (1000 * median(getattr(load, name) for load in loads) for name in ("p50_seconds", "p99_seconds"))
    return f"{median(rates):.1f} a second ({min(rates):.1f} to {max(rates):.1f}), p50 {p50:.0f} ms, p99 {p99:.0f} ms"
