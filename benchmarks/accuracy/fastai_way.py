"""fastai's `fine_tune` with its defaults, and the augmentation that its book recommends."""

import numpy as np
import pandas as pd
import torch
from fastai.vision.all import (
    CrossEntropyLossFlat,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    accuracy,
    aug_transforms,
    vision_learner,
)

from benchmarks.accuracy.command_line import build_parser, print_result
from benchmarks.accuracy.network import build_small_resnet, load_weights, read_statistics


def main() -> None:
    """Train, and print the result of the last epoch on the test pictures."""
    job = build_parser().parse_args()
    torch.manual_seed(job.seed)
    np.random.seed(job.seed)
    table = pd.read_csv(job.table)
    known = table[table["split"] != "test"].assign(held_out=lambda rows: rows["split"] == "validation")
    loaders = ImageDataLoaders.from_df(
        known,
        path="/",
        fn_col="path",
        label_col="label",
        valid_col="held_out",
        seed=job.seed,
        item_tfms=Resize(job.image_size),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(*read_statistics(job.network, job.weights))],
        device=torch.device(job.device),
        num_workers=job.workers,
    )
    if job.weights is None:
        network = build_small_resnet(loaders.c)
        learner = Learner(loaders, network, loss_func=CrossEntropyLossFlat(), metrics=accuracy)
    else:
        learner = vision_learner(loaders, job.network, metrics=accuracy, pretrained=False)
        load_weights(learner.model[0].model, job.weights)
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(job.epochs)
        test = table[table["split"] == "test"]
        probabilities, _ = learner.get_preds(dl=loaders.test_dl(list(test["path"])))
    names = np.array(loaders.vocab)
    print_result(names[probabilities.argmax(dim=1).numpy()] == test["label"].to_numpy())


if __name__ == "__main__":
    main()
