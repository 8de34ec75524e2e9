"""Runs every benchmark and prints one line each: python -m benchmarks [NAME...]."""

import sys

from benchmarks import training
from benchmarks.compare import Comparison

BENCHMARKS = {"frozen": training.compare_frozen, "all-layers": training.compare_all_layers}


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        sys.exit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        comparison: Comparison = BENCHMARKS[name]()
        print(comparison.describe(name), flush=True)


if __name__ == "__main__":
    main()
