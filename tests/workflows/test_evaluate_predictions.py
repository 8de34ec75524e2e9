"""All numbers and plots again, from a predictions.csv alone."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.errors import ConfigError, DataError
from discern.evaluation.metrics import load_metrics
from discern.evaluation.predictions import build_predictions, save_predictions, tabulate_predictions
from discern.workflows.evaluate import evaluate_predictions
from pictures import draw_photos


def flatten(value, place=""):
    """Yield every number and name of nested JSON with its place."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flatten(inner, f"{place}/{key}")
    else:
        yield place, value


def write_predictions(path: Path, class_names, paths, *, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    targets = rng.integers(len(class_names), size=len(paths))
    probabilities = rng.dirichlet(np.ones(len(class_names)), size=len(paths))
    ids = [f"picture {place}" for place in range(len(paths))]
    predictions = build_predictions(ids, paths, targets, probabilities, class_names)
    save_predictions(predictions, path)
    return tabulate_predictions(predictions)


def test_the_numbers_of_a_run_come_back_to_the_precision_of_the_file(trained_run, tmp_path):
    evaluation = trained_run / "evaluation"
    metrics = evaluate_predictions(evaluation / "predictions.csv", out=tmp_path / "again")
    written = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert load_metrics(tmp_path / "again" / "metrics.json") == metrics
    expected = dict(flatten(json.loads((evaluation / "metrics.json").read_text())))
    found = dict(flatten(written))
    assert list(metrics) == ["validation", "test"]
    assert found.keys() == expected.keys()
    for place, value in expected.items():
        if isinstance(value, float):
            assert found[place] == pytest.approx(value, rel=1e-5, abs=1e-5), place
        else:
            assert found[place] == value, place
    for name in ("per_class.csv", "confusion.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (evaluation / name).read_bytes()
    for plot in ("confusion", "confusion_normalized", "reliability", "mistakes"):
        with Image.open(tmp_path / "again" / "plots" / f"{plot}.png") as image:
            assert min(image.size) > 200


def test_a_file_without_splits_is_one(tmp_path):
    write_predictions(tmp_path / "p.csv", ["ant", "bee", "cow"], [""] * 40)
    metrics = evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out")
    assert list(metrics) == ["all"]
    assert metrics["all"].count == 40


def test_true_classes_that_are_spelt_otherwise_are_joined_by_value(tmp_path):
    frame = write_predictions(tmp_path / "p.csv", ["1", "2"], [""] * 40)
    expected = evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out", plots=False)["all"].accuracy
    frame.assign(true=frame["true"] + ".0").to_csv(tmp_path / "p.csv", index=False)
    assert evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out", plots=False)["all"].accuracy == expected


def test_two_classes_have_a_plot_of_roc_and_more_have_none(tmp_path):
    write_predictions(tmp_path / "two.csv", ["ant", "bee"], [""] * 30)
    write_predictions(tmp_path / "three.csv", ["ant", "bee", "cow"], [""] * 30)
    metrics = evaluate_predictions(tmp_path / "two.csv", out=tmp_path / "out")
    assert (tmp_path / "out" / "plots" / "roc.png").is_file()
    assert 0 < metrics["all"].roc_auc.value < 1
    # What stands there of other answers would be taken for these ones'.
    evaluate_predictions(tmp_path / "three.csv", out=tmp_path / "out")
    assert not (tmp_path / "out" / "plots" / "roc.png").exists()


def test_mistakes_are_drawn_where_the_pictures_still_are_and_left_out_with_a_word_otherwise(tmp_path, caplog):
    photos = draw_photos(tmp_path / "photos", per_class=4)
    paths = [str(path) for path in sorted(photos.rglob("*.png"))]
    write_predictions(tmp_path / "p.csv", ["ant", "bee", "cow"], paths)
    plot = tmp_path / "out" / "plots" / "mistakes.png"
    with caplog.at_level(logging.INFO, logger="discern"):
        evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out")
        assert plot.is_file()
        assert "not there to be shown" not in caplog.text
        table = pd.read_csv(tmp_path / "p.csv")
        wrong = table[table["true"] != table["predicted"]]
        Path(wrong["path"].iloc[0]).unlink()
        evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out")
        assert plot.is_file()
        assert "1 picture cannot be shown in mistakes.png, such as picture" in caplog.text
        for path in wrong["path"].iloc[1:]:
            Path(path).unlink()
        evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out")
    assert not plot.exists()
    assert f"{len(wrong)} pictures cannot be shown in mistakes.png" in caplog.text
    assert (tmp_path / "out" / "plots" / "reliability.png").is_file()


def test_rows_without_a_true_class_are_refused_by_number(tmp_path):
    table = write_predictions(tmp_path / "p.csv", ["ant", "bee"], [""] * 5)
    table.loc[[1, 4], "true"] = ""
    table.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match=r"without a true class:\n  row 2: 'picture 1'\n  row 5: 'picture 4'\nLabel or"):
        evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_true_class_without_a_probability_is_refused(tmp_path):
    table = write_predictions(tmp_path / "p.csv", ["ant", "bee"], [""] * 5)
    table.loc[2, "true"] = "cow"
    table.to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(DataError, match=r"classes that the classifier does not know:\n  'cow': 1 picture"):
        evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out")


def test_what_the_file_came_with_is_not_replaced(trained_run):
    with pytest.raises(ConfigError, match=r"predictions\.csv itself and its evaluation; give another out="):
        evaluate_predictions(trained_run / "evaluation" / "predictions.csv", out=trained_run / "evaluation")


def test_figures_are_left_out_on_request_and_metrics_of_the_user_written(tmp_path):
    write_predictions(tmp_path / "p.csv", ["ant", "bee", "cow"], [""] * 40)
    custom = {"mean_confidence": lambda targets, probabilities: probabilities.max(axis=1).mean()}
    out = str(tmp_path / "out")
    metrics = evaluate_predictions(str(tmp_path / "p.csv"), out=out, plots=False, metrics=custom)
    assert not (tmp_path / "out" / "plots").exists()
    assert (tmp_path / "out" / "coverage.csv").is_file()
    assert 1 / 3 < metrics["all"].custom["mean_confidence"] < 1
    assert load_metrics(tmp_path / "out" / "metrics.json") == metrics


@pytest.mark.parametrize("verbose", [True, False])
def test_progress_is_shown_unless_it_is_not_wanted(tmp_path, capsys, verbose):
    write_predictions(tmp_path / "p.csv", ["ant", "bee"], [""] * 20)
    evaluate_predictions(tmp_path / "p.csv", out=tmp_path / "out", plots=False, verbose=verbose)
    assert ("all: accuracy " in capsys.readouterr().out) == verbose
