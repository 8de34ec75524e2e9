"""discern explain on files: what is written, for which classes, and what is never touched."""

import base64
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import discern
from discern.data.sources.inputs import load_inputs
from discern.errors import BadImagesError, ConfigError, DataError
from discern.explanation.explained_picture import choose_classes
from discern.explanation.folder import name_figures
from discern.explanation.neighbours import NearPicture, show_neighbour
from discern.explanation.result import Explanations
from discern.predictor.manifest import save_manifest
from discern.run_folder import RunFolder
from pictures import COLOURS, draw_photos


@pytest.fixture(scope="module")
def new_photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("new"), per_class=1, first_seed=555)


@pytest.fixture
def run(trained_run, tmp_path):
    """A run of one's own to write to."""
    return shutil.copytree(trained_run, tmp_path / "run")


def read(folder):
    return pd.read_csv(folder / "explanations.csv", keep_default_na=False)


def test_each_picture_has_a_figure_and_a_row(run, new_photos):
    explanations = discern.explain(run, [str(new_photos), str(new_photos / "red")])
    assert explanations.folder == run / "explanations"
    frame = read(run / "explanations")
    named = ["id", "path", "figure", "method", "predicted", "confidence", "familiarity", "unfamiliar", "true", "target"]
    assert list(frame.columns)[:11] == [*named, "neighbour"]
    assert list(frame["id"]) == ["blue/0.png", "green/0.png", "red/0.png"]
    assert list(frame["figure"]) == ["001_blue_0.png", "002_green_0.png", "003_red_0.png"]
    # The folders are named as the classes.
    assert list(frame["true"]) == list(COLOURS)
    assert list(frame["target"]) == list(frame["predicted"])
    answers = discern.predict(run, [str(new_photos)]).frame
    assert list(frame["predicted"]) == list(answers["label"])
    np.testing.assert_allclose(frame["confidence"], answers["confidence"], atol=1e-5)
    np.testing.assert_allclose(frame["familiarity"], answers["familiarity"], atol=1e-5)
    assert explanations.figures == [run / "explanations" / name for name in frame["figure"]]
    for path in explanations.figures:
        with Image.open(path) as figure:
            assert figure.width > 900


def test_a_notebook_shows_the_first_figures(tmp_path):
    names = [f"{number:03d}_a.png" for number in range(1, 8)]
    explanations = Explanations(pd.DataFrame({"figure": names}), (), tmp_path)
    for path in explanations.figures[1:]:
        path.write_bytes(path.name.encode())
    page = explanations._repr_html_()
    shown = [base64.b64decode(found).decode() for found in re.findall('src="data:image/png;base64,([^"]+)"', page)]
    assert shown == names[1:6]
    assert f"5 of 7 figures in {tmp_path}" in page
    assert repr(explanations) == f"<Explanations of 7 pictures in {tmp_path}>"


def test_the_true_class_is_explained_too_where_it_is_another(run, new_photos, tmp_path):
    rows = pd.DataFrame({"image": [str(new_photos / "red" / "0.png")] * 3, "label": ["Blue", "red", "violet"]})
    for place, label in enumerate(rows["label"]):
        rows.iloc[[place]].to_csv(tmp_path / "labelled.csv", index=False)
        frame = discern.explain(run, [str(tmp_path / "labelled.csv")], out=tmp_path / "out").frame
        assert frame["predicted"].item() == "red"
        assert frame["true"].item() == label.lower()
        # A class that the classifier does not know has no evidence.
        targets = list(frame.filter(like="target").iloc[0])
        assert targets == (["red", "blue"] if label == "Blue" else ["red"])


def test_the_truth_is_found_in_the_split_of_the_run(run, tmp_path):
    split = pd.read_csv(run / "split.csv")
    path = tmp_path / "elsewhere.png"
    shutil.copy(RunFolder(run).read_data_root() / split["path"].iloc[0], path)
    assert discern.explain(run, [str(path)]).frame["true"].isna().all()
    split.loc[0, ["path", "label"]] = [str(path), "green"]
    split.to_csv(run / "split.csv", index=False)
    assert discern.explain(run, [str(path)]).frame["true"].tolist() == ["green"]


def test_one_class_or_several_can_be_asked_for(run, new_photos):
    picture = str(new_photos / "red" / "0.png")
    frame = discern.explain(run, picture, target="Blue", method="hires-cam").frame
    assert (frame["target"].item(), frame["predicted"].item(), frame["method"].item()) == ("blue", "red", "hires-cam")
    frame = discern.explain(run, picture, top_k=2).frame
    assert frame["target"].item() == "red"
    assert frame["target_2"].item() in ("blue", "green")


def test_classes_are_chosen_by_probability_and_truth():
    def choose(**options):
        chosen = choose_classes(np.array([0.1, 0.6, 0.3]), ("a", "b", "c"), **{"asked_for": None, "top_k": 1} | options)
        return [(shown.role, shown.name, shown.confidence) for shown in chosen]

    assert choose(true_name=None) == choose(true_name="b") == [("predicted", "b", 0.6)]
    assert choose(true_name="a") == [("predicted", "b", 0.6), ("true", "a", 0.1)]
    assert choose(true_name="c", top_k=5) == [("predicted", "b", 0.6), ("2nd", "c", 0.3), ("3rd", "a", 0.1)]
    assert choose(true_name="a", asked_for=2) == [("asked for", "c", 0.3)]
    assert choose(true_name="a", asked_for=1) == [("predicted", "b", 0.6)]


def test_mistakes_of_the_reported_split_come_with_the_most_confident_first(run):
    predictions = pd.read_csv(run / "evaluation" / "predictions.csv")
    test = predictions.index[predictions["split"] == "test"]
    predictions.loc[test[:3], "true"] = [
        "green" if name != "green" else "red" for name in predictions["predicted"][test[:3]]
    ]
    predictions.loc[test[:3], "confidence"] = [0.7, 0.9, 0.8]
    predictions.to_csv(run / "evaluation" / "predictions.csv", index=False)
    frame = discern.explain(run, mistakes=True).frame
    assert list(frame["id"]) == [predictions["id"][test[place]] for place in (1, 2, 0)]
    assert (frame["true"] != frame["predicted"]).all()
    assert list(frame["target_2"]) == list(frame["true"])
    root = json.loads((run / "environment.json").read_text())["data"]["root"]
    gone = predictions["path"].str.replace(root, "/gone", regex=False)
    predictions.assign(path=gone).to_csv(run / "evaluation" / "predictions.csv", index=False)
    with pytest.raises(BadImagesError, match="give their folder with data="):
        discern.explain(run, mistakes=True)
    again = discern.explain(run, mistakes=True, data=root).frame
    assert list(again["path"]) == list(frame["path"])


def test_no_mistakes_are_no_error_and_the_bundle_alone_knows_where_it_lies(run, caplog):
    predictions = pd.read_csv(run / "evaluation" / "predictions.csv")
    predictions["true"] = predictions["predicted"]
    predictions.to_csv(run / "evaluation" / "predictions.csv", index=False)
    for _ in range(2):
        explanations = discern.explain(run / "bundle", mistakes=True)
        assert explanations.frame.empty
        assert list(read(run / "explanations")) == list(explanations.frame.columns)


def test_pictures_in_memory_are_explained(run, new_photos):
    with Image.open(new_photos / "blue" / "0.png") as image:
        frame = discern.explain(run, [image, np.asarray(image)]).frame
    assert list(frame["id"]) == ["0", "1"]
    assert list(frame["figure"]) == ["001_0.png", "002_1.png"]


def test_bad_pictures_are_listed_and_the_others_explained(run, new_photos, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"bad")
    explanations = discern.explain(run, [str(tmp_path / "bad.png"), str(new_photos / "red")])
    assert [problem.path for problem in explanations.problems] == [str(tmp_path / "bad.png")]
    assert list(explanations.frame["figure"]) == ["001_0.png"]
    assert len(pd.read_csv(run / "explanations" / "explanations.bad_files.csv")) == 1
    discern.explain(run, [str(new_photos / "red")])
    assert not (run / "explanations" / "explanations.bad_files.csv").exists()
    with pytest.raises(BadImagesError, match="nothing was explained"):
        discern.explain(run, [str(tmp_path / "bad.png")])


def test_figures_of_an_earlier_call_are_replaced_and_nothing_else(run, new_photos):
    folder = run / "explanations"
    discern.explain(run, [str(new_photos)])
    (folder / "notes.txt").write_text("mine")
    (folder / "004_mine.png").write_bytes(b"mine")
    discern.explain(run, [str(new_photos / "red")])
    assert {path.name for path in folder.iterdir()} == {"001_0.png", "004_mine.png", "explanations.csv", "notes.txt"}


def test_what_is_no_explanation_is_never_replaced(run, new_photos, tmp_path):
    for name in ("001_0.png", "explanations.csv"):
        out = tmp_path / f"with {name}"
        out.mkdir()
        (out / name).write_bytes(b"mine")
        with pytest.raises(ConfigError, match=f"no explanations, or are to be explained:\n  {name}"):
            discern.explain(run, [str(new_photos / "red")], out=out)
        assert (out / name).read_bytes() == b"mine"
    discern.explain(run, [str(new_photos)])
    before = sorted((run / "explanations").iterdir())
    with pytest.raises(ConfigError, match="Give another out="):
        discern.explain(run, [str(run / "explanations")])
    assert sorted((run / "explanations").iterdir()) == before
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"is a file; out=... needs a folder"):
        discern.explain(run, [str(new_photos)], out=tmp_path / "file")


def test_figure_names_are_unique_and_safe():
    names = name_figures(["a/../b c.jpg", "a/../b c.jpg", "../../etc/passwd.png", "", "ä" * 300 + ".png", "x" * 300])
    assert names[:4] == ["001_a_.._b_c.png", "002_a_.._b_c.png", "003_etc_passwd.png", "004_.png"]
    assert max(map(len, names)) < 80
    assert len(set(names)) == 6
    assert name_figures(["x"] * 1000)[0] == "0001_x.png"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ConfigError, "give either pictures to explain, or mistakes=True"),
        ({"inputs": "x.png", "mistakes": True}, ConfigError, "either pictures to explain, or mistakes=True"),
        (
            {"inputs": "x.png", "method": "lime"},
            ConfigError,
            "no explanation method 'lime': there are grad-cam",
        ),
        (
            {"inputs": "x.png", "target": "bleu"},
            ConfigError,
            r"no class 'bleu' \(did you mean 'blue'\?\); it has blue, g",
        ),
        ({"inputs": "x.png"}, DataError, "x.png"),
    ],
)
def test_errors_say_what_to_do(trained_run, options, error, message):
    with pytest.raises(error, match=message):
        discern.explain(trained_run, **options)


def test_mistakes_need_an_evaluation_of_files(run):
    path = run / "evaluation" / "predictions.csv"
    predictions = pd.read_csv(path)
    predictions["path"] = ""
    predictions["true"] = "nothing"
    predictions.to_csv(path, index=False)
    with pytest.raises(DataError, match="its pictures were no files"):
        discern.explain(run, mistakes=True)
    path.unlink()
    with pytest.raises(DataError, match=r"predictions\.csv"):
        discern.explain(run, mistakes=True)


def test_the_nearest_training_pictures_are_named_and_shown_as_far_as_they_are_there(run, new_photos, tmp_path):
    predictor = discern.load(run)
    bank, table = predictor.bundle.feature_bank, load_inputs(str(new_photos))
    _, features = predictor.predict_features(table)
    products = (features / np.linalg.norm(features, axis=1, keepdims=True)) @ bank.features.astype(np.float32).T
    frame = discern.explain(run, str(new_photos), neighbours=2).frame
    for place, suffix in enumerate(("", "_2")):
        expected = bank.frame.iloc[np.argsort(-products, axis=1)[:, place]]
        assert list(frame[f"neighbour{suffix}"]) == list(expected["id"])
        assert list(frame[f"neighbour_label{suffix}"]) == list(expected["label"])
    np.testing.assert_allclose(frame["neighbour_similarity"], products.max(axis=1), atol=1e-3)
    assert "neighbour_3" not in frame
    assert show_neighbour(NearPicture("a", str(new_photos / "red" / "0.png"), "red", 1.0), 10**6).image is not None
    assert show_neighbour(NearPicture("a", str(tmp_path / "gone.png"), "red", 1.0), 10**6).image is None
    assert show_neighbour(NearPicture("a", "", "red", 1.0), 10**6).image is None


def test_a_training_picture_is_not_its_own_neighbour(run):
    known = discern.load(run).bundle.feature_bank.frame
    frame = discern.explain(run, known["path"].iloc[0], neighbours=3).frame
    assert known["id"].iloc[0] not in frame.filter(regex=r"^neighbour(_\d)?$").iloc[0].tolist()


def test_bundles_without_a_feature_bank_are_explained_without_neighbours(run, new_photos, caplog):
    description = json.loads((run / "bundle" / "bundle.json").read_text())
    description.pop("feature_bank")
    (run / "bundle" / "bundle.json").write_text(json.dumps(description))
    save_manifest(run / "bundle", [path.name for path in (run / "bundle").iterdir() if path.name != "manifest.json"])
    with caplog.at_level("INFO", "discern"):
        frame = discern.explain(run, str(new_photos)).frame
    assert "neighbour" not in frame
    assert "the bundle has no feature bank" in caplog.text


def test_paths_may_be_text(run, new_photos, tmp_path):
    explanations = discern.explain(str(run), str(new_photos / "red"), out=str(tmp_path / "out"), verbose=False)
    assert explanations.folder == tmp_path / "out"
    assert len(read(tmp_path / "out")) == 1
