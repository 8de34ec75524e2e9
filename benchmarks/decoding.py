"""Decodes and resizes photos to 224 px, our way or Pillow's plain one, and prints the seconds of one round."""

import argparse
import json
import time
from functools import partial
from pathlib import Path

from PIL import Image

from discern.data.reading.decode import decode_image
from discern.data.reading.preprocess import Preprocess

PREPROCESS = Preprocess(224, "squash", (0.5,) * 3, (0.25,) * 3)
ROUNDS = 5


def main() -> None:
    """Decode all photos of a folder several times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--way", choices=("ours", "plain"), required=True)
    options = parser.parse_args()
    paths = sorted(path for path in options.photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    decode = decode_ours if options.way == "ours" else decode_plainly
    for path in paths:
        decode(path)
    started = time.perf_counter()
    for _ in range(ROUNDS):
        for path in paths:
            decode(path)
    print(json.dumps({"seconds": (time.perf_counter() - started) / ROUNDS}))


def decode_ours(path: Path) -> object:
    """Decode as training and prediction do."""
    picture = decode_image(path, covering=partial(PREPROCESS.needed_size, size=224))
    return PREPROCESS.fit_image(picture)


def decode_plainly(path: Path) -> object:
    """Decode all of it, then resize."""
    with Image.open(path) as image:
        return image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)


if __name__ == "__main__":
    main()
