"""The arguments that every way of training takes, and the line of results that it prints."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments that all ways share; without --weights the network starts from scratch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("--network", metavar="NAME", help="of timm, for the weights")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    return parser


def print_result(is_correct: Sequence[bool]) -> None:
    """Print one line of JSON: the accuracy, and which test pictures were classified correctly, in the table's order."""
    correct = "".join("1" if one else "0" for one in is_correct)
    print(json.dumps({"accuracy": correct.count("1") / len(correct), "correct": correct}))
