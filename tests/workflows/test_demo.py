import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.demo import DEMO_TYPES
from discern.errors import RunFolderError
from discern.workflows import demo


def test_the_demo_trains_with_and_without_pretraining_and_predicts_without_data_or_network(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(demo, "IMAGES_PER_CLASS", 8)
    runs = demo.run_demo(tmp_path / "demo", seed=1, overwrite=False)
    assert {name: [phase.name for phase in run.plan.phases] for name, run in runs.items()} == {
        "pretrained": ["probe", "fine-tune"],
        "scratch": ["fine-tune"],
    }
    for run in runs.values():
        assert run.metrics["test"].count == 30
        assert run.plan.phases[-1].epochs == 8
    names = {aircraft_type.name for aircraft_type in DEMO_TYPES}
    answers = pd.read_csv(tmp_path / "demo" / "predictions.csv")
    assert len(answers) == 20
    assert set(answers["label"]) <= names
    text = capsys.readouterr().out
    assert "On test pictures that no run has seen:" in text
    assert str(tmp_path / "demo" / "pretrained" / "report.html") in text
    # The pictures that are predicted are none of those that were trained on.
    known = {path.read_bytes() for path in (tmp_path / "demo" / "photos").rglob("*.jpg")}
    new = {path.read_bytes() for path in (tmp_path / "demo" / "new_photos").rglob("*.jpg")}
    assert len(known) == 80
    assert not known & new
    with Image.open(next((tmp_path / "demo" / "photos").rglob("*.jpg"))) as picture:
        assert picture.size == (96, 96)
        assert np.asarray(picture).std() > 5
    with pytest.raises(RunFolderError, match=r"is not empty; give another out=..., or overwrite=True"):
        demo.run_demo(tmp_path / "demo", seed=1, overwrite=False)
