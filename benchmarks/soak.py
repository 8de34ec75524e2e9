"""Sends good and hostile requests to a server: no answer may be wrong, and its memory must not grow."""

import argparse
import http.client
import itertools
import json
import random
import struct
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.serving import build_form, post, serving
from discern.predictor.load import load

Expected = tuple[str, float]
"""The label and confidence of `discern predict`."""

CLIENTS = 8
_MAX_GROWTH_BYTES = 64 * 2**20
_HOSTILE_SHARE = 0.3
_TOLERANCE = 0.02
"""Largest difference between confidences in bf16 that were computed in different batches."""


def main() -> None:
    """Send a third of the requests, then the rest; exit with 1 if an answer is wrong or memory grew in between."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+", help="files that can be read")
    parser.add_argument("--requests", type=int, default=3000)
    options = parser.parse_args()
    expected = load(options.run).predict(options.pictures)
    good = [build_form(path.read_bytes()) for path in options.pictures]
    bad = list(build_hostile(options.pictures[0].read_bytes()).items())
    with serving([sys.executable, "-m", "discern", "serve", str(options.run)]) as (port, pid):
        wrong: list[str] = []
        resident = []
        for count in (options.requests // 3, options.requests - options.requests // 3):
            wrong += _ask(port, good, bad, list(zip(expected["label"], expected["confidence"], strict=True)), count)
            resident.append(_read_resident_bytes(pid))
    growth = resident[1] - resident[0]
    print(
        f"{options.requests} requests, {len(wrong)} wrong answers; memory {resident[0] / 2**20:.0f} MiB after a third, "
        f"{resident[1] / 2**20:.0f} MiB at the end"
    )
    print("\n".join(wrong[:20]))
    sys.exit(bool(wrong) or growth > _MAX_GROWTH_BYTES)


def build_hostile(picture: bytes) -> dict[int, bytes]:
    """Return forms with files that must be refused, by the HTTP status of the refusal."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + b"IHDR" + header + checksum + end
    files = {400: b"", 415: b"no picture " * 1000, 422: picture[: len(picture) // 2], 413: bomb}
    return {status: build_form(content) for status, content in files.items()}


def _ask(
    port: int,
    good: Sequence[bytes],
    bad: Sequence[tuple[int, bytes]],
    expected: Sequence[tuple[str, float]],
    count: int,
) -> list[str]:
    work = iter(range(count))
    generator = random.Random(0)  # noqa: S311 - not for security
    hostile = [generator.random() < _HOSTILE_SHARE for _ in range(count)]

    def ask() -> list[str]:
        connection, wrong = http.client.HTTPConnection("127.0.0.1", port, timeout=120), []
        for number in work:
            if hostile[number]:
                status, form = bad[number % len(bad)]
                found, _ = post(connection, form)
                wrong += [] if found == status else [f"{found} instead of {status}"]
                continue
            place = number % len(good)
            found, body = post(connection, good[place])
            if found != http.client.OK:
                wrong.append(f"{found} for picture {place}")
                continue
            answer, (label, confidence) = json.loads(body)["pictures"][0], expected[place]
            is_near = abs(answer["confidence"] - confidence) <= _TOLERANCE
            if not is_near or (answer["label"] != label and confidence > 0.5 + _TOLERANCE):
                wrong.append(f"{answer['label']} {answer['confidence']:.4f} instead of {label} {confidence:.4f}")
        connection.close()
        return wrong

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(itertools.chain.from_iterable(f.result() for f in [pool.submit(ask) for _ in range(CLIENTS)]))


def _read_resident_bytes(pid: int) -> int:
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
