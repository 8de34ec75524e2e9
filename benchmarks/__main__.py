"""Runs benchmarks: python -m benchmarks [NAME...] [--data FOLDER] [--photos FOLDER] [--weights FILE] [--repeats 3]."""

import argparse
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import save_file
from torchvision.models import resnet50

import discern
from benchmarks.compare import Way, compare
from benchmarks.serving import compare_servers
from discern.demo.dataset import draw_dataset
from discern.demo.fleet import DEMO_TYPES

PYTHON = [sys.executable, "-m"]
PREDICTED_IMAGES = 1000
DRAWN = {"train": 122, "val": 76}
"""Pictures drawn for each of two classes where no data are given: as many as in the classic set of ants and bees."""
DRAWN_PHOTOS = 12


class Bench:
    """What the benchmarks share: data, weights, and a place to work."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.work = work
        self.repeats: int = options.repeats
        self.mobilenet: Path | None = options.weights
        self.data: Path = options.data or draw_data(work / "data")
        self.photos: Path = options.photos or draw_photos(work / "photos")
        self.weights = work / "resnet50.safetensors"
        torch.manual_seed(0)
        # Random weights take as long to compute with as trained ones; all ways get the same.
        state = {name: tensor.contiguous() for name, tensor in resnet50().state_dict().items()}
        save_file(state, self.weights)

    def transfer(self) -> None:
        """A frozen ResNet-50, 15 epochs with validation, from a cold start to the complete run folder.

        First both rotate and flip the pictures, then neither does, and both compute features once.
        """
        ours = [
            "train",
            str(self.data),
            "--recipe",
            "transfer",
            "--out",
            "{fresh}/run",
            f"model.weights={self.weights}",
        ]
        plain = [str(self.data), "--weights", str(self.weights), "--frozen", "--augment"]
        for job, own, other in (("transfer", [], "rotate"), ("transfer, not augmented", ["augment=none"], "none")):
            compare(
                job,
                Way("ours", [*PYTHON, "discern", *ours, *own]),
                [Way("the plain loop", [*PYTHON, "benchmarks.plain_training", *plain, other])],
                self.repeats,
            )

    def fine_tune(self) -> None:
        """All layers of ResNet-50, seconds an epoch with validation."""
        given = [str(self.data), "--weights", str(self.weights), "--epochs", "1"]
        others = [Way("the plain loop", [*PYTHON, "benchmarks.plain_training", *given, "--per-epoch"])]
        if importlib.util.find_spec("fastai") is None:
            print("fastai is not installed and is left out: pip install fastai", file=sys.stderr)
        else:
            others.append(Way("fastai", [*PYTHON, "benchmarks.fastai_training", *given]))
        # The recipe `table` is one phase of all layers; pictures are changed as in the plain loop.
        augment = 'augment=[{name="RandomResizedCrop"}, {name="RandomHorizontalFlip"}]'
        settings = [f"model.weights={self.weights}", "epochs=1", augment]
        ours = [*PYTHON, "benchmarks.our_training", "--per-epoch", str(self.data), "--recipe", "table", *settings]
        others.append(Way("ours with BatchNorm learning", [*ours, "frozen_batchnorm=false"]))
        compare("fine-tune", Way("ours", ours), others, self.repeats)

    def predict(self) -> None:
        """ResNet-50 on 1,000 photos, from files to CSV; its ceiling is the network on pictures already in memory."""
        pictures, run = self.work / "pictures", train_briefly(self.work / "predict")
        copy_pictures(self.data, pictures)
        ours = ["predict", str(run), str(pictures), "--out", "{fresh}/out.csv"]
        plain = [str(pictures), "--out", "{fresh}/out.csv"]
        compare(
            "predict",
            Way("ours", [*PYTHON, "discern", *ours]),
            [
                Way("the plain loop", [*PYTHON, "benchmarks.plain_prediction", *plain]),
                Way("our network alone", [*PYTHON, "benchmarks.ceiling", "--images", str(PREDICTED_IMAGES)]),
            ],
            self.repeats,
        )

    def decode(self) -> None:
        """Large photos, decoded and resized to 224 px."""
        ours, plain = (
            Way(name, [*PYTHON, "benchmarks.decoding", str(self.photos), "--way", way])
            for name, way in (("ours", "ours"), ("full decoding", "plain"))
        )
        compare("decode", ours, [plain], self.repeats)

    def accuracy(self) -> None:
        """A frozen MobileNetV2 with real weights: accuracy and time beside those of the plain loop."""
        if self.mobilenet is None:
            print("accuracy needs --weights, a file for timm's mobilenetv2_100, and is left out", file=sys.stderr)
            return
        backbone = "mobilenetv2_100"
        settings = [f"model.backbone=timm:{backbone}", f"model.weights={self.mobilenet}"]
        ours = [str(self.data), "--recipe", "transfer", *settings]
        plain = [str(self.data), "--weights", str(self.mobilenet), "--backbone", backbone, "--frozen"]
        plain += ["--augment", "rotate"]
        compare(
            "accuracy",
            Way("ours", [*PYTHON, "benchmarks.our_training", *ours]),
            [Way("the plain loop", [*PYTHON, "benchmarks.plain_training", *plain])],
            self.repeats,
        )

    def serving(self) -> None:
        """Requests a second and waiting times, of our server and of a plain handler, at 1, 8 and 32 clients."""
        pictures = sorted(self.data.rglob("*.jpg"))[:64]
        compare_servers("serving ResNet-50", train_briefly(self.work / "serving"), pictures, self.repeats)
        if self.mobilenet is not None:
            given = ["model.backbone=timm:mobilenetv2_100", f"model.weights={self.mobilenet}"]
            small = train_briefly(self.work / "serving-small", given)
            compare_servers("serving MobileNetV2", small, pictures, self.repeats)

    def cold(self) -> None:
        """The help, and the prediction for one picture, from a cold start."""
        run, picture = train_briefly(self.work / "cold"), next(self.data.rglob("*.jpg"))
        imports = Way("importing torch and torchvision", [sys.executable, "-c", "import torch, torchvision"])
        compare("help", Way("ours", [*PYTHON, "discern", "--help"]), [imports], self.repeats)
        ours = ["predict", str(run), str(picture), "--out", "{fresh}/out.csv"]
        compare("cold-predict", Way("ours", [*PYTHON, "discern", *ours]), [imports], self.repeats)


def draw_data(folder: Path, counts: dict[str, int] | None = None) -> Path:
    """Draw two classes of aircraft into train and val."""
    for seed, (split, count) in enumerate((counts or DRAWN).items()):
        draw_dataset(folder / split, DEMO_TYPES[:2], images_per_class=count, size=400, seed=seed)
    return folder


def train_briefly(folder: Path, given: Sequence[str] = ("model.weights=none",)) -> Path:
    """Make a run at 224 px that has learned almost nothing, of a ResNet-50 or the network that is given."""
    photos = draw_data(folder / "photos", {"train": 2, "val": 2})
    run = folder / "run"
    settings = {"image_size": 224, "epochs": 1, "plots": False, "report": False}
    discern.train(photos, out=run, recipe="table", overrides=given, verbose=False, **settings)
    return run


def draw_photos(folder: Path) -> Path:
    """Draw a dozen large pictures."""
    draw_dataset(folder, DEMO_TYPES[:1], images_per_class=DRAWN_PHOTOS, size=2400, seed=0)
    return folder


def copy_pictures(data: Path, folder: Path) -> None:
    """Copy pictures into a folder, again and again, until there are as many as are predicted."""
    folder.mkdir()
    found = sorted(path for path in data.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    endless = (path for _ in range(PREDICTED_IMAGES) for path in found)
    for number, path in enumerate(islice(endless, PREDICTED_IMAGES)):
        shutil.copy(path, folder / f"{number:04d}{path.suffix.lower()}")


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    jobs: dict[str, Callable[[Bench], None]] = {
        "transfer": Bench.transfer,
        "fine-tune": Bench.fine_tune,
        "predict": Bench.predict,
        "decode": Bench.decode,
        "accuracy": Bench.accuracy,
        "serving": Bench.serving,
        "cold": Bench.cold,
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(jobs)}; all by default")
    parser.add_argument("--data", type=Path, help="folder with train and val of class folders; drawn by default")
    parser.add_argument("--photos", type=Path, help="folder of large JPEG files; drawn by default")
    parser.add_argument("--weights", type=Path, help="weights of timm's mobilenetv2_100, as safetensors")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(jobs))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(jobs)}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        for name in options.names or jobs:
            jobs[name](bench)


if __name__ == "__main__":
    main()
