"""Speed of our ResNet-50 on pictures that are already in memory: the most that prediction from files can reach."""

import argparse
import json
import time

import torch

from discern.data.reading.loaders import Batch
from discern.data.reading.preprocess import Preprocess
from discern.engine.forward import predict_logits, prepare_images
from discern.models.architecture import Architecture
from discern.models.build import build_classifier
from discern.models.costs import count_flops
from discern.runtime import choose_runtime

BATCH_SIZE = 64


def main() -> None:
    """Predict the same batch again and again, and print the seconds as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1000)
    options = parser.parse_args()
    runtime = choose_runtime()
    classifier = build_classifier(Architecture(), 2)
    runtime.place(classifier)
    prepare = prepare_images(Preprocess(224, "squash", (0.5,) * 3, (0.25,) * 3), runtime)
    images = torch.randint(0, 256, (BATCH_SIZE, 3, 224, 224), dtype=torch.uint8)
    batch = Batch(images, torch.zeros(BATCH_SIZE, dtype=torch.int64), torch.arange(BATCH_SIZE))
    count = -(-options.images // BATCH_SIZE)
    predict_logits(classifier, [batch] * 2, prepare, runtime)
    started = time.perf_counter()
    predict_logits(classifier, [batch] * count, prepare, runtime)
    rate = count * BATCH_SIZE / (time.perf_counter() - started)
    flops = count_flops(classifier, 224) * rate
    print(json.dumps({"seconds": options.images / rate, "images_per_second": rate, "gigaflops": flops / 1e9}))


if __name__ == "__main__":
    main()
