"""Runs several ways of doing the same job alternately, each in a process of its own, and compares their times."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median


@dataclass
class Way:
    """A command line that does the job; "{fresh}" in it becomes a new empty folder for every run.

    `seconds`, `processor_seconds` and `scores` hold the runs so far. The time is that of the whole command, unless the
    last line of its output is JSON with "seconds"; the time of all cores is always that of the whole command.
    """

    name: str
    command: Sequence[str]
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run it once, from a cold start and with nothing kept from earlier runs."""
        with tempfile.TemporaryDirectory() as fresh:
            command = [part.replace("{fresh}", fresh) for part in self.command]
            started, used = time.perf_counter(), _count_processor_seconds()
            done = subprocess.run(  # noqa: S603 - commands of our own
                command,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "DISCERN_HOME": str(Path(fresh) / "home")},
            )
            elapsed = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{self.name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        result = _read_last_line(done.stdout)
        self.seconds.append(result.get("seconds", elapsed))
        self.processor_seconds.append(_count_processor_seconds() - used)
        if "accuracy" in result:
            self.scores.append(result["accuracy"])

    def describe(self) -> str:
        """Return median and spread of the time, the time of all cores, and the mean score."""
        score = f", accuracy {sum(self.scores) / len(self.scores):.3f}" if self.scores else ""
        spread = f"{min(self.seconds):.2f} to {max(self.seconds):.2f}"
        used = f"{median(self.processor_seconds):.1f} s of all cores"
        return f"{median(self.seconds):.2f} s ({spread}), {used}{score}"


def compare(job: str, ours: Way, others: Sequence[Way], repeats: int) -> None:
    """Run all ways alternately, `repeats` times each, and print one line for each of the others."""
    ways = [*others, ours]
    for _ in range(repeats):
        for way in ways:
            way.run()
            print(f"  {job}: {way.name} {way.seconds[-1]:.2f} s", file=sys.stderr, flush=True)
    for other in others:
        ratio = median(other.seconds) / median(ours.seconds)
        print(
            f"{job}: {ratio:.2f} times as fast as {other.name}; ours {ours.describe()}; {other.name} "
            f"{other.describe()}; {repeats} runs each, alternately",
            flush=True,
        )


def _count_processor_seconds() -> float:
    """Return the processor's time of all commands that have ended, and of their own processes."""
    times = os.times()
    return times.children_user + times.children_system


def _read_last_line(output: str) -> dict[str, float]:
    lines = output.strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return result if isinstance(result, dict) else {}
