"""The rounds of a campaign, what they counted, and how to run one of them again."""

import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.soak.sound import Sound, UndisturbedError


@dataclass
class Round:
    """What a round did, by kind, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


Part = Callable[[Sound, random.Random, Path], Round]
"""One round of a part: takes the sound files, its own random numbers and an empty folder."""


def run_part(
    name: str, part: Part, sound: Sound, *, first_seed: int, seconds: float, max_rounds: int | None = None
) -> Round:
    """Run rounds with one seed after the other until the time is over, at least one; print failures as they come."""
    total, started = Round(), time.monotonic()
    number = 0
    while number == 0 or time.monotonic() - started < seconds:
        if max_rounds is not None and number >= max_rounds:
            break
        seed = first_seed + number
        found = _run_round(name, part, sound, seed)
        total.counts += found.counts
        total.counts["rounds"] += 1
        total.failures += found.failures
        for failure, count in Counter(found.failures).items():
            times = f" ({count} times)" if count > 1 else ""
            print(f"FAILED {name}: {failure}{times}\n  again: {describe_again(name, seed)}", flush=True)
        number += 1
    print(describe_counts(name, total), flush=True)
    return total


def describe_again(name: str, seed: int) -> str:
    """Return the command that runs one round again."""
    return f"python -m benchmarks.soak {name} --seed {seed} --rounds 1"


def describe_counts(name: str, total: Round) -> str:
    """Return a line with what a part did."""
    counted = ", ".join(f"{count:,} {what}" for what, count in sorted(total.counts.items()))
    return f"{name}: {counted}; {len(total.failures)} failures"


def _run_round(name: str, part: Part, sound: Sound, seed: int) -> Round:
    work = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=sound.folder))
    print(f"  {name}, seed {seed}", file=sys.stderr, flush=True)
    try:
        return part(sound, random.Random(f"{name} {seed}"), work)  # noqa: S311 - not for security
    except UndisturbedError as error:
        return Round(failures=[str(error)])
    except Exception:  # noqa: BLE001 - the campaign goes on, and shows its own faults like others
        return Round(failures=[f"the campaign itself failed:\n{traceback.format_exc()}"])
    finally:
        shutil.rmtree(work, ignore_errors=True)
