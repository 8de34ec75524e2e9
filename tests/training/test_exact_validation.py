"""What a run records of its validation pictures is what its classifier predicts for them."""

import numpy as np
from PIL import Image

import discern
from pictures import QUICK


def test_recorded_validation_predictions_are_those_of_the_predictor(tmp_path):
    """JPEGs four times as large as needed, which training decodes at half their size, and validation whole."""
    rng = np.random.default_rng(0)
    for label, colour in (("dark", 90), ("light", 150)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            pixels = np.clip(colour + rng.normal(0, 90, (128, 160, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.jpg", quality=60)
    quiet = {"epochs": 1, "report": False, "plots": False}
    run = discern.train(tmp_path / "photos", out=tmp_path / "run", recipe="table", overrides=QUICK, **quiet)
    rows = run.predictions.frame.query("split == 'validation'")
    recorded = run.predictions.probabilities[rows.index]
    assert (recorded.max(axis=1) < 0.99).any()
    # The score of the epoch is that of the run: validation decodes whole pictures.
    assert run.metrics["validation"].accuracy.value == run.history["validation_accuracy"].item()
    answers = discern.load(run.folder.root).predict(rows["path"].tolist(), probabilities=True)
    np.testing.assert_allclose(answers[["probability_dark", "probability_light"]], recorded, atol=1e-5)
