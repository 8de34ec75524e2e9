"""What test-time augmentation brings: python -m benchmarks.tta --data FOLDER --weights FILE.

Trains `transfer` on a pretrained MobileNetV2 and prints a row for each way to answer the validation pictures: the views
of discern, the mean of probabilities instead of logits, and five crops that are enlarged. No test picture is used.
"""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_softmax, logsumexp, softmax
from torch import Tensor
from torch.nn import functional

import discern
from benchmarks.views import SIZES, list_known
from discern.data.reading.dataset import ImageDataset
from discern.data.sources.load import load_table
from discern.data.table import ImageTable
from discern.engine.views import build_views
from discern.evaluation.calibration import compute_brier
from discern.evaluation.held_out import calibrate_held_out, is_better
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime
from discern.training.calibrating import rescale_by_temperature

HEADER = "set | views | accuracy | loss | with temperature | Brier gain (standard error) | CPU ms a picture"
CROPPED = 7 / 8
AT_ONCE = 50
# More would take too long on two cores.
MAX_TRAIN, MAX_VALIDATION = 300, 400

Logits = npt.NDArray[np.float64]


def main() -> None:
    """Measure all sets, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tta")
    parser.add_argument("sets", nargs="*", metavar="SET", help="hymenoptera and flowers5 by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--weights", type=Path, required=True, help="weights of timm's mobilenetv2_100, as safetensors")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(HEADER)
    for name in options.sets or ("hymenoptera", "flowers5"):
        with TemporaryDirectory() as folder:
            known = list_known(name, options.data, Path(folder))
            shuffled = known.sample(frac=1, random_state=options.seed)
            train = min(MAX_TRAIN, round(0.6 * len(known)))
            splits = ["train"] * train + ["validation"] * min(MAX_VALIDATION, len(known) - train)
            pictures = shuffled.head(len(splits)).assign(split=splits)
            run = discern.train(
                pictures,
                out=Path(folder) / "run",
                recipe="transfer",
                overrides=["backbone=timm:mobilenetv2_100", f"weights={options.weights}", "run.threads=1"],
                image_size=SIZES[name],
                seed=options.seed,
                verbose=False,
                report=False,
                plots=False,
            )
            runtime = choose_runtime(device="cpu", precision="fp32", threads=1)
            with runtime.applied():
                measure(name, Predictor(run.load(device="cpu").bundle, runtime), load_table(pictures))


def measure(name: str, predictor: Predictor, pictures: ImageTable) -> None:
    """Print a row for each way to answer, which says by how much its Brier scores are lower than those of one view."""
    table = pictures.select("validation")
    targets = table.targets()
    dataset = ImageDataset(table, predictor.bundle.preprocess, decodes_whole=True)
    images = torch.stack([dataset.read_canvas(row) for row in range(len(table))])
    _, mirrored = build_views(images, "flip")
    plain, *shifted = build_views(images, "five")
    started = time.process_time()
    logits = [compute_logits(predictor, view) for view in (plain, mirrored, *shifted, *crop_corners(images))]
    milliseconds = 1000 * (time.process_time() - started) / len(logits) / len(table)
    ways = {"none": [0], "flip": [0, 1], "five": [0, 2, 3, 4, 5], "five crops": [0, 6, 7, 8, 9]}
    answers = {way: np.stack([logits[place] for place in places]) for way, places in ways.items()}
    means = {way: values.mean(axis=0) for way, values in answers.items()}
    means |= {
        f"{way}, probabilities": logsumexp(log_softmax(answers[way], axis=2), axis=0)
        for way in ("flip", "five", "five crops")
    }
    single = score(means["none"], targets)
    for way, values in means.items():
        gains = single - score(values, targets)
        print(
            f"{name} ({len(table)}) | {way} | {100 * (values.argmax(axis=1) == targets).mean():.1f} % | "
            f"{compute_loss(values, targets):.4f} | {compute_loss(rescale(values, targets), targets):.4f} | "
            f"{gains.mean():+.4f} ({gains.std(ddof=1) / np.sqrt(len(gains)):.4f}) | "
            f"{milliseconds * len(ways[way.partition(',')[0]]):.0f}",
            flush=True,
        )
    print(f"{name}: auto takes {choose(means, targets)}", flush=True)


def choose(means: Mapping[str, Logits], targets: npt.NDArray[np.int64]) -> str:
    """Return the views that `training.tta=auto` takes by these logits."""
    kept = "none"
    for tta in ("flip", "five"):
        if is_better(rescale(means[tta], targets), rescale(means[kept], targets), targets):
            kept = tta
    return kept


def compute_logits(predictor: Predictor, images: Tensor) -> Logits:
    """Return the logits (N, K) of images (N, 3, S, S)."""
    return torch.cat([predictor.compute_outputs(part).logits for part in images.split(AT_ONCE)]).double().numpy()


def crop_corners(images: Tensor) -> list[Tensor]:
    """Return the corners of images, enlarged to the side of the images as 224 of 256 pixels are."""
    side = images.shape[-1]
    cropped = round(CROPPED * side)
    corners = [
        images[..., top : top + cropped, left : left + cropped]
        for top in (0, side - cropped)
        for left in (0, side - cropped)
    ]
    enlarged = [functional.interpolate(corner.float(), size=(side, side), mode="bilinear") for corner in corners]
    return [values.round().to(torch.uint8) for values in enlarged]


def rescale(logits: Logits, targets: npt.NDArray[np.int64]) -> Logits:
    """Return logits (N, K), each divided by a temperature that was fitted without its picture."""
    return calibrate_held_out(rescale_by_temperature, logits, targets)


def score(logits: Logits, targets: npt.NDArray[np.int64]) -> Logits:
    """Return the Brier scores (N,) of rescaled logits."""
    return compute_brier(targets, softmax(rescale(logits, targets), axis=1))


def compute_loss(logits: Logits, targets: npt.NDArray[np.int64]) -> float:
    """Return the mean log loss of logits (N, K)."""
    return float(-log_softmax(logits, axis=1)[np.arange(len(targets)), targets].mean())


if __name__ == "__main__":
    main()
