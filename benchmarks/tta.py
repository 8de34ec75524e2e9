"""What test-time augmentation brings: python -m benchmarks.tta --data FOLDER --weights FILE.

Trains `transfer` on a pretrained MobileNetV2, and prints a row for each set and kind of views: accuracy and losses of
the validation pictures, and how long one takes. The pictures of a set that are not test pictures are split by the seed.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

import discern
from benchmarks.views import SIZES, draw_split, list_known
from discern.data.sources.load import load_table
from discern.data.table import ImageTable
from discern.engine.views import NUM_VIEWS
from discern.evaluation.calibration import compute_brier
from discern.evaluation.held_out import calibrate_held_out
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime
from discern.training.calibrating import rescale_by_temperature

HEADER = "set, seed, views, pictures, accuracy, loss, loss with temperature, Brier gain (standard error), CPU ms a picture"


def main() -> None:
    """Measure all sets, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tta")
    parser.add_argument("sets", nargs="*", metavar="SET", help="hymenoptera and flowers5 by default")
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--weights", type=Path, required=True, help="weights of timm's mobilenetv2_100, as safetensors")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(HEADER)
    for seed in options.seeds:
        for name in options.sets or ("hymenoptera", "flowers5"):
            with TemporaryDirectory() as folder:
                pictures = draw_split(list_known(name, options.data, Path(folder)), seed)
                run = discern.train(
                    pictures,
                    out=Path(folder) / "run",
                    recipe="transfer",
                    overrides=["backbone=timm:mobilenetv2_100", f"weights={options.weights}", "precision=fp32"],
                    image_size=SIZES[name],
                    seed=seed,
                    threads=options.threads,
                    verbose=False,
                    report=False,
                    plots=False,
                )
                table = load_table(pictures).select("validation")
                runtime = choose_runtime(device="cpu", precision="fp32", threads=options.threads)
                with runtime.applied():
                    measure(f"{name}, {seed}", Predictor(run.load(device="cpu").bundle, runtime), table)


def measure(name: str, predictor: Predictor, table: ImageTable) -> None:
    """Print a row for each kind of views, which beside "none" says by how much the Brier scores are lower."""
    targets = table.targets()
    plain: npt.NDArray[np.float64] | None = None
    for tta in NUM_VIEWS:
        viewing = predictor.with_tta(tta)
        viewing.predict_probabilities(table.take(np.arange(1)))
        started = time.process_time()
        logits = viewing.predict_features(table)[0].double().numpy()
        milliseconds = 1000 * (time.process_time() - started) / len(table)
        rescaled = calibrate_held_out(rescale_by_temperature, logits, targets)
        scores = compute_brier(targets, softmax(rescaled, axis=1))
        plain = scores if plain is None else plain
        gains = plain - scores
        print(
            f"{name}, {tta}, {len(table)}, {100 * (logits.argmax(axis=1) == targets).mean():.1f} %, "
            f"{compute_loss(logits, targets):.4f}, {compute_loss(rescaled, targets):.4f}, "
            f"{gains.mean():+.4f} ({gains.std(ddof=1) / np.sqrt(len(gains)):.4f}), {milliseconds:.1f}",
            flush=True,
        )


def compute_loss(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.int64]) -> float:
    """Return the mean log loss of logits (N, K)."""
    return float(-np.log(softmax(logits, axis=1)[np.arange(len(targets)), targets]).mean())


if __name__ == "__main__":
    main()
