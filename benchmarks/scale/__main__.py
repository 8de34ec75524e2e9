"""Measures how each step grows with the number of pictures: python -m benchmarks.scale [--sizes 1000 10000 100000]."""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.scale.pictures import KINDS, draw_set
from benchmarks.scale.steps import STEPS

NETWORK = ("model.backbone=resnet18", "image_size=32")
_STEEP = 1.1
"""A slope above this is more than linear."""
_MIN_CPU_SECONDS = 0.5
"""What takes less has no slope: starting and chance are most of it."""


class Cost(NamedTuple):
    """What a step took: by the clock, of the processor, and the largest memory of one of its processes."""

    seconds: float
    cpu_seconds: float
    peak_bytes: float


def main() -> None:
    """Draw the pictures, run the steps and print a table for each kind of pictures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS), help="predict needs transfer before")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where pictures are drawn, and kept for the next time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        weights = _save_random_weights(Path(temporary))
        for kind in options.kinds:
            costs = {}
            for size in sorted(options.sizes):
                pictures = draw_set(root / f"{kind}-{size}", kind, size)
                with tempfile.TemporaryDirectory() as work:
                    costs[size] = {
                        step: [_measure(step, pictures, Path(work), weights) for _ in range(options.repeats)]
                        for step in options.steps
                    }
                print(f"  {kind}: {size:,} pictures are done", file=sys.stderr, flush=True)
            print(f"\n{kind} pictures, {options.repeats} runs\n")
            print("\n".join(tabulate(costs)), flush=True)


def _save_random_weights(folder: Path) -> Path:
    """Save weights in a process of its own, since memory that this one once took would be counted for its children."""
    path = folder / "resnet18.safetensors"
    code = (
        "import sys; from torchvision.models import resnet18; from safetensors.torch import save_model; "
        "save_model(resnet18(), sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)  # noqa: S603 - code of our own
    return path


def _measure(step: str, pictures: Path, work: Path, weights: Path) -> Cost:
    """Run a step in a new process, with nothing kept from earlier ones."""
    command = [sys.executable, "-m", "benchmarks.scale.steps"]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(  # noqa: S603 - a module of our own
            [*command, step, str(pictures), str(work), *NETWORK, f"model.weights={weights}"],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "DISCERN_HOME": home},
        )
    if done.returncode:
        sys.exit(f"{step} failed with {pictures}")
    cost = Cost(**json.loads(done.stdout.splitlines()[-1]))
    print(f"  {step}, {pictures.name}: {cost.seconds:.2f} s, {cost.peak_bytes / 2**20:.0f} MiB", file=sys.stderr)
    return cost


def tabulate(costs: dict[int, dict[str, list[Cost]]]) -> list[str]:
    """Return a table with one line for each step, and a mark where it grows faster than the number of pictures."""
    sizes = sorted(costs)
    heads = [f"{size:,}" for size in sizes] + [f"{small:,} to {large:,}" for small, large in pairwise(sizes)]
    lines = [f"| step | {' | '.join(heads)} |", f"|{'---|' * (1 + len(heads))}"]
    for step in costs[sizes[0]]:
        cells = [_describe(costs[size][step], size) for size in sizes]
        growth = [_describe_growth(pair, [costs[size][step] for size in pair]) for pair in pairwise(sizes)]
        lines.append(f"| {step} | {' | '.join(cells + growth)} |")
    return lines


def _describe(runs: Sequence[Cost], size: int) -> str:
    seconds, middle = [run.seconds for run in runs], _middle(runs)
    spread = f" ({min(seconds):.1f} to {max(seconds):.1f})" if len(runs) > 1 else ""
    used = f"{middle.cpu_seconds:.1f} s of the processor ({1e3 * middle.cpu_seconds / size:.2f} ms each)"
    return f"{middle.seconds:.1f} s{spread}, {used}, {middle.peak_bytes / 2**20:,.0f} MiB"


def _middle(runs: Sequence[Cost]) -> Cost:
    return Cost(*(median(values) for values in zip(*runs, strict=True)))


def _describe_growth(sizes: tuple[int, int], runs: Sequence[Sequence[Cost]]) -> str:
    """Return by which power of the number of pictures the processor's time grew, and the memory of one more."""
    (small, large), (before, after) = sizes, map(_middle, runs)
    time, memory = (
        math.log(later / max(earlier, 1e-3)) / math.log(large / small)
        for earlier, later in zip(before[1:], after[1:], strict=True)
    )
    more = (after.peak_bytes - before.peak_bytes) / 2**10 / (large - small)
    is_steep = memory > _STEEP or (time > _STEEP and after.cpu_seconds > _MIN_CPU_SECONDS)
    return f"{time:.2f}, {more:.1f} KiB each{' **more than linear**' if is_steep else ''}"


if __name__ == "__main__":
    main()
