"""A linear probe: frozen features, and scikit-learn's logistic regression with its strength found by validation."""

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.accuracy.command_line import build_parser, print_result
from benchmarks.accuracy.network import build_network
from benchmarks.accuracy.plain_way import Pictures, build_transforms

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@torch.no_grad()
def main() -> None:
    """Compute features once, fit, and print the result on the test pictures."""
    job = build_parser().parse_args()
    torch.manual_seed(job.seed)
    table = pd.read_csv(job.table)
    names = sorted(table["label"].unique())
    network = build_network(job.network, job.weights, len(names)).to(job.device).eval()
    if job.weights is None:
        network.fc = nn.Identity()
    else:
        network.reset_classifier(0)
    _, plain = build_transforms(job)
    features, targets = {}, {}
    for split in ("train", "validation", "test"):
        loader = DataLoader(
            Pictures(table[table["split"] == split], names, plain), batch_size=64, num_workers=job.workers
        )
        pairs = [(network(images.to(job.device)).cpu(), labels) for images, labels in loader]
        features[split] = torch.cat([part for part, _ in pairs]).numpy()
        targets[split] = torch.cat([labels for _, labels in pairs]).numpy()
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000)).fit(
            features["train"], targets["train"]
        )
        for strength in STRENGTHS
    ]
    best = max(models, key=lambda model: float(model.score(features["validation"], targets["validation"])))
    print_result(np.asarray(best.predict(features["test"]) == targets["test"]))


if __name__ == "__main__":
    main()
