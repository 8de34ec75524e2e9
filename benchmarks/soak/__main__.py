"""Runs the campaign: python -m benchmarks.soak [PART...] [--minutes 60] [--seed 0] [--rounds N]."""

import argparse
import faulthandler
import sys
import tempfile
from pathlib import Path

from benchmarks.soak.campaign import Part, run_part
from benchmarks.soak.clients import ask_as_many
from benchmarks.soak.commands import import_everything
from benchmarks.soak.kills import kill_one
from benchmarks.soak.pictures import mutate_pictures
from benchmarks.soak.places import write_in_bad_place
from benchmarks.soak.records import mutate_record
from benchmarks.soak.sound import prepare_sound

PARTS: dict[str, tuple[Part, float]] = {
    "kills": (kill_one, 0.3),
    "places": (write_in_bad_place, 0.2),
    "pictures": (mutate_pictures, 0.2),
    "records": (mutate_record, 0.15),
    "clients": (ask_as_many, 0.15),
}
"""The parts, each with its share of the time."""


def main() -> None:
    """Run all parts, or those that are named; exit with 1 if one has failures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--minutes", type=float, default=60, help="of all parts together")
    parser.add_argument("--seed", type=int, default=0, help="of the first round; the next has the next one")
    parser.add_argument("--rounds", type=int, help="at most so many of each part")
    parser.add_argument("--scale", type=float, default=1, help="share of what a round does, such as 0.05 for a trial")
    options = parser.parse_args()
    unknown = sorted(set(options.parts) - set(PARTS))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    faulthandler.enable()
    import_everything()
    chosen = {name: PARTS[name] for name in options.parts or PARTS}
    whole = sum(share for _, share in chosen.values())
    failures = 0
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        sound = prepare_sound(Path(folder), options.scale)
        for name, (part, share) in chosen.items():
            seconds = 60 * options.minutes * share / whole
            total = run_part(name, part, sound, first_seed=options.seed, seconds=seconds, max_rounds=options.rounds)
            failures += len(total.failures)
    print(f"the whole campaign: {failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
