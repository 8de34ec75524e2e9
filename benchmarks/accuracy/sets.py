"""The sets, each as a CSV of path, label and split that every way of training reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.model_selection import train_test_split

SPLIT_SEED = 0
HELD_OUT = 0.15
SPLITS = {"train": "train", "test": "test"}
FROM_SCRATCH = "cifar10_small_from_scratch"
SIZES = {"aircraft_civil": 224, "flowers5": 128, "hymenoptera": 224, "cifar10_small": 96, FROM_SCRATCH: 32}
"""The side in pixels that networks see: that of the pictures, up to 224; small ones are enlarged if pretrained."""
USUAL_SIZE = 224
"""What the networks are usually trained at."""


class Set(NamedTuple):
    """Labelled pictures, the side in pixels that networks see of them, and whether those learn from scratch."""

    name: str
    table: Path
    image_size: int
    from_scratch: bool = False


def build_sets(data: Path, work: Path) -> list[Set]:
    """Write the tables, and pictures where they are arrays, into `work`."""
    work.mkdir(parents=True, exist_ok=True)
    tables = {
        "aircraft_civil": list_folders(
            data / "aircraft_civil", {"train": "train", "val": "validation", "test": "test"}
        ),
        "flowers5": list_folders(data / "flowers5", SPLITS),
        # It has no test split: published results are accuracies on the folder called val.
        "hymenoptera": list_folders(data / "hymenoptera", {"train": "train", "val": "test"}),
        "cifar10_small": unpack(data / "cifar10_small.npz", work / "cifar10_small"),
    }
    tables[FROM_SCRATCH] = tables["cifar10_small"]
    return [
        Set(name, save(table, work / f"{name}.csv"), SIZES[name], from_scratch=name == FROM_SCRATCH)
        for name, table in tables.items()
    ]


def list_folders(root: Path, splits: Mapping[str, str]) -> pd.DataFrame:
    """List a folder of splits of class folders; `splits` maps each to the split that it is used as."""
    rows = [
        (str(path.resolve()), path.parent.name, used_as)
        for split, used_as in splits.items()
        for path in sorted((root / split).glob("*/*"))
        if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    ]
    return pd.DataFrame(rows, columns=["path", "label", "split"])


def unpack(arrays: Path, folder: Path) -> pd.DataFrame:
    """Write arrays as PNG files, which lose nothing, and list them."""
    folder.mkdir(exist_ok=True)
    rows = []
    with np.load(arrays, allow_pickle=False) as content:
        names = [str(name) for name in content["class_names"]]
        for split in ("train", "test"):
            pairs = zip(content[f"{split}_images"], content[f"{split}_labels"], strict=True)
            for number, (image, label) in enumerate(pairs):
                path = folder / f"{split}{number:05d}.png"
                if not path.exists():
                    Image.fromarray(image).save(path)
                rows.append((str(path.resolve()), names[int(label)], split))
    return pd.DataFrame(rows, columns=["path", "label", "split"])


def save(table: pd.DataFrame, path: Path) -> Path:
    """Hold out validation pictures where there are none, and write the table."""
    if not (table["split"] == "validation").any():
        rows = table.index[table["split"] == "train"]
        _, held_out = train_test_split(
            rows, test_size=HELD_OUT, random_state=SPLIT_SEED, stratify=table.loc[rows, "label"]
        )
        table.loc[held_out, "split"] = "validation"
    table.to_csv(path, index=False)
    return path
