"""What every way of training is asked, and what it tells: the share of right answers, and which they are."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path


def build_parser() -> argparse.ArgumentParser:
    """Return what understands the table, the weights or None for a network from scratch, the size, seed and epochs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    return parser


def tell(is_right: Sequence[bool], **more: float) -> None:
    """Print, as one line of JSON, the answers for the test pictures in the order of the table."""
    answers = "".join("1" if right else "0" for right in is_right)
    print(json.dumps({"accuracy": answers.count("1") / len(answers), **more, "right": answers}))
