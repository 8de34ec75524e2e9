"""Plain fine-tuning: PIL, DataLoader, fp32, Adam at 1e-3 for all layers, flip and crop, the best epoch kept."""

import copy
from argparse import Namespace

import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from benchmarks.accuracy.command_line import build_parser, print_result
from benchmarks.accuracy.network import build_network, read_statistics

LEARNING_RATE = 1e-3
SMALL = 64


class Pictures(Dataset[tuple[Tensor, int]]):
    """The pictures of a table's rows under a transform."""

    def __init__(self, rows: pd.DataFrame, names: list[str], transform: v2.Compose) -> None:
        self.rows, self.names, self.transform = rows, names, transform

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.rows)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """Read a picture."""
        row = self.rows.iloc[place]
        return self.transform(Image.open(row["path"]).convert("RGB")), self.names.index(row["label"])


def build_transforms(job: Namespace) -> tuple[v2.Compose, v2.Compose]:
    """Return the transforms of training and of evaluation."""
    size, (mean, std) = job.image_size, read_statistics(job.network, job.weights)
    normalize = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(mean), list(std))]
    crop = v2.RandomCrop(size, padding=4) if size <= SMALL else v2.RandomResizedCrop(size)
    plain = v2.Compose([v2.Resize(size), v2.CenterCrop(size), *normalize])
    return v2.Compose([crop, v2.RandomHorizontalFlip(), *normalize]), plain


@torch.no_grad()
def find_correct(network: nn.Module, loader: DataLoader[tuple[Tensor, int]], device: str) -> list[bool]:
    """Return for each picture whether the predicted class is correct."""
    network.eval()
    correct: list[bool] = []
    for images, targets in loader:
        correct += (network(images.to(device)).argmax(dim=1).cpu() == targets).tolist()
    return correct


def main() -> None:
    """Train, and print the result on the test pictures of the epoch with the best validation accuracy."""
    job = build_parser().parse_args()
    torch.manual_seed(job.seed)
    table = pd.read_csv(job.table)
    names = sorted(table["label"].unique())
    augmented, plain = build_transforms(job)
    loaders = {
        split: DataLoader(
            Pictures(table[table["split"] == split], names, augmented if split == "train" else plain),
            batch_size=32,
            shuffle=split == "train",
            num_workers=job.workers,
        )
        for split in ("train", "validation", "test")
    }
    network = build_network(job.network, job.weights, len(names)).to(job.device)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    best = (-1.0, network.state_dict())
    for _ in range(job.epochs):
        network.train()
        for images, targets in loaders["train"]:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images.to(job.device)), targets.to(job.device)).backward()
            optimizer.step()
        correct = find_correct(network, loaders["validation"], job.device)
        if sum(correct) / len(correct) > best[0]:
            best = (sum(correct) / len(correct), copy.deepcopy(network.state_dict()))
    network.load_state_dict(best[1])
    print_result(find_correct(network, loaders["test"], job.device))


if __name__ == "__main__":
    main()
