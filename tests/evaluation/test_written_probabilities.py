"""What is computed from predictions in memory is computed again from their file."""

import numpy as np
import pytest

from discern.evaluation.metrics import compute_metrics
from discern.evaluation.predictions import build_predictions, load_predictions, save_predictions
from discern.evaluation.written_probabilities import round_as_written


def test_rounding_is_what_writing_and_reading_does():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.random(2000), 10 ** -(16 * rng.random(2000)), [0, 1, 0.2, 0.9999996, 0.5, 1e-310]])
    assert [float(f"{value:.6g}") for value in values[:-1]] == round_as_written(values)[:-1].tolist()


@pytest.mark.parametrize("sharpness", [1, 20, 200], ids=["unsure", "sure", "saturated"])
@pytest.mark.parametrize("num_classes", [2, 5, 150])
def test_a_file_gives_the_same_probabilities_and_metrics(tmp_path, num_classes, sharpness):
    rng = np.random.default_rng(num_classes)
    targets = rng.integers(num_classes, size=60)
    logits = sharpness * rng.normal(size=(60, num_classes))
    logits[:3] = 0  # equal classes
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = [f"class {place}" for place in range(num_classes)]
    ids = [str(place) for place in range(60)]
    made = build_predictions(ids, ids, targets, probabilities, names)
    save_predictions(made, tmp_path / "p.csv")
    read = load_predictions(tmp_path / "p.csv")
    # Below 1e-17 the last bit may differ, which no sum of probabilities shows.
    np.testing.assert_allclose(made.probabilities, read.probabilities, rtol=1e-15, atol=1e-17)
    assert made.predictions.tolist() == probabilities.argmax(axis=1).tolist() == read.predictions.tolist()
    ours, theirs = (compute_metrics(one.targets, one.probabilities, names).model_dump() for one in (made, read))
    assert theirs.keys() == ours.keys()
    for name in {"accuracy", "macro_f1", "loss", "brier", "ece", "roc_auc", "average_precision"} & ours.keys():
        assert theirs[name] == pytest.approx(ours[name], rel=1e-12)
