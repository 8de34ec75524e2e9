import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score

from discern import ImageClassifier
from discern.data.reading.dataset import decode_row
from discern.data.sources.load import load_table
from discern.data.sources.samples import list_samples
from discern.errors import BadImagesError, ConfigError, DataError
from pictures import COLOURS, QUICK, draw_photo

SETTINGS = (*QUICK, "training.phases.*.epochs=6", "learning_rate=2e-3")


@pytest.fixture(scope="module")
def arrays():
    names = list(COLOURS) * 12
    images = np.stack([np.asarray(draw_photo(COLOURS[name], seed)) for seed, name in enumerate(names)])
    return images, np.array([{"blue": 2, "green": 10, "red": 1}[name] for name in names])


def test_it_fits_predicts_and_scores_with_labels_of_their_own_kind(arrays):
    images, labels = arrays
    classifier = ImageClassifier(recipe="table", overrides=SETTINGS).fit(images, labels[:, None])
    assert classifier.classes_.tolist() == [1, 2, 10]
    probabilities = classifier.predict_proba(images)
    assert probabilities.shape == (36, 3)
    assert np.allclose(probabilities.sum(axis=1), 1)
    predictions = classifier.predict(images)
    assert predictions.dtype == labels.dtype
    assert (classifier.classes_[probabilities.argmax(axis=1)] == predictions).all()
    assert classifier.score(images, labels) == accuracy_score(labels, predictions) > 0.6
    assert (classifier.predict(list(images)) == predictions).all()
    assert (classifier.predict([Image.fromarray(image) for image in images]) == predictions).all()


def test_columns_follow_the_sorted_labels_also_where_natural_order_differs(arrays):
    """As text, "10" sorts before "2"; the bundle has 1, 2, 10."""
    images, labels = arrays
    classifier = ImageClassifier(recipe="table", overrides=SETTINGS).fit(images, labels.astype(str))
    assert classifier.classes_.tolist() == ["1", "10", "2"]
    assert classifier.score(images, labels.astype(str)) > 0.6


def test_it_works_inside_cross_validation_and_clone(arrays):
    images, labels = arrays
    classifier = ImageClassifier(recipe="table", overrides=QUICK, random_state=3)
    copy = clone(classifier)
    assert copy.get_params() == classifier.get_params()
    scores = cross_val_score(copy, images, labels, cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_a_fitted_one_that_has_predicted_can_be_pickled(arrays):
    images, labels = arrays
    classifier = ImageClassifier(recipe="table", overrides=QUICK).fit(images, labels)
    predictions = classifier.predict(images)
    assert (pickle.loads(pickle.dumps(classifier)).predict(images) == predictions).all()


def test_it_takes_paths(photos, tmp_path):
    paths = sorted(photos.rglob("*.png"))
    labels = [path.parent.name for path in paths]
    classifier = ImageClassifier("table", overrides=QUICK, out=tmp_path / "kept").fit(paths, labels)
    assert classifier.predict(paths[:5]).shape == (5,)
    assert (tmp_path / "kept" / "bundle" / "bundle.json").is_file()


@pytest.mark.parametrize("form", ["sizes", "equal", "pil", "paths", "mixed", "deep"])
def test_pictures_in_any_form_become_one_table(form, photos):
    drawn = [draw_photo((200, 50, 40), seed, size=size) for seed, size in enumerate((40, 40, 32))]
    path = next((photos / "red").iterdir())
    X = {  # noqa: N806
        "sizes": [np.asarray(picture) for picture in drawn],
        "equal": [np.asarray(picture) for picture in drawn[:2]],
        "pil": drawn,
        "paths": pd.DataFrame({"path": [path, photos / "blue" / "0.png"]}),
        "mixed": [path, drawn[2], np.asarray(drawn[0])],
        "deep": np.stack([np.asarray(picture) for picture in drawn[:2]]).astype(np.uint16) * 257,
    }[form]
    samples = list_samples(X)
    labels = ["a", "b", "a"][: len(samples)]
    table = load_table((samples, labels))
    assert table.frame["label"].tolist() == labels
    found = [np.asarray(decode_row(table, row)) for row in range(len(table))]
    wanted = [np.asarray(Image.open(item) if isinstance(item, Path) else item) for item in samples]
    wanted = [pixels // 257 if pixels.dtype == np.uint16 else pixels for pixels in wanted]
    assert all(np.array_equal(*pair) for pair in zip(found, wanted, strict=True))


def test_shapes_are_settled_before_any_work(arrays, monkeypatch):
    images, labels = arrays
    monkeypatch.setattr("discern.estimator.train", lambda *arguments, **options: pytest.fail("worked in vain"))
    with pytest.raises(DataError, match="X has 36 pictures and y has 35 labels"):
        ImageClassifier().fit(images, labels[:35])
    with pytest.raises(DataError, match="One-hot labels become classes"):
        ImageClassifier().fit(images, np.eye(36))
    with pytest.raises(DataError, match="X is one picture"):
        ImageClassifier().fit(images[0], labels[:40])


def test_what_is_not_fitted_says_so():
    for ask in (ImageClassifier().predict, ImageClassifier().predict_proba):
        with pytest.raises(NotFittedError):
            ask(["a.png"])


def test_missing_labels_are_left_out_where_that_is_set(arrays, monkeypatch):
    seen = {}
    monkeypatch.setattr("discern.estimator.train", lambda source, **options: seen.update(source=source, **options) or 1)
    classifier = ImageClassifier(overrides={"data.missing_labels": "drop"}, random_state=np.int64(3))
    with pytest.raises(AttributeError):
        classifier.fit(arrays[0][:4], [1, None, 2, 1])
    assert seen["source"][1].tolist() == ["1", None, "2", "1"]
    assert classifier.classes_.tolist() == [1, 2]
    assert "seed=3" in seen["overrides"]


class _NoListener:
    """Of no class that training knows."""


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"validation_fraction": 2}, "validation_fraction is 2; expected a number from 0 to less than 1"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1.0; expected a number from 0 to less than 1"),
        ({"validation_fraction": -0.1}, "validation_fraction is -0.1; expected a number"),
        ({"validation_fraction": float("nan")}, "validation_fraction is nan; expected a number"),
        ({"validation_fraction": "0.2"}, "validation_fraction is '0.2'; expected a number"),
        ({"validation_fraction": None}, "validation_fraction is None; expected a number"),
        ({"random_state": -1}, "random_state is -1; expected None, a whole number from 0 to 4294967295, or a numpy"),
        ({"random_state": 2**32}, "random_state is 4294967296; expected None, a whole number from 0 to 4294967295"),
        ({"random_state": 1.5}, "random_state is 1.5; expected None, a whole number"),
        ({"random_state": "a"}, "random_state is 'a'; expected None, a whole number"),
        ({"out": 5}, "out is 5; expected a path"),
        ({"recipe": 5}, "no recipe '5': choose from auto"),
        ({"overrides": 5}, 'overrides is 5; expected a mapping such as {"epochs": 5}, or texts such as "epochs=5"'),
        ({"overrides": None}, "overrides is None; expected a mapping"),
        ({"overrides": ["epochs=5", 5]}, "overrides is ['epochs=5', 5]; expected a mapping"),
        ({"overrides": {"epochs": 0}}, "epochs is 0; expected at least 1 or 'auto'"),
        ({"network": 5}, "network is 5; expected a torch.nn.Module, or a function that takes the number of classes"),
        ({"loss": "focal"}, "loss is 'focal'; expected a function of logits and targets"),
        ({"augment": 5}, "no augmentation policy '5'"),
        ({"metrics": ["a"]}, "metrics is ['a']; expected names with functions of targets and probabilities"),
        ({"metrics": {"a": 5}}, "metrics is {'a': 5}; expected names with functions"),
        ({"metrics": {"a b": accuracy_score}}, "a metric's name becomes a column; use letters, digits and _"),
        (
            {"listeners": 5},
            "listeners is 5; expected a list of objects of subclasses of discern.Listener",
        ),
        ({"listeners": [_NoListener]}, "; expected a list of objects of subclasses of discern.Listener"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_own_name_before_any_work(arrays, tmp_path, parameters, message):
    classifier = ImageClassifier(**{"out": tmp_path / "run", **parameters})
    with pytest.raises(ConfigError, match=re.escape(message)):
        classifier.fit(*arrays)
    assert not list(tmp_path.iterdir())


def test_the_error_names_no_list_in_a_folder_that_is_gone(photos, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    paths = [bad, *photos.glob("*/0.png")]
    with pytest.raises(BadImagesError, match=r"bad.png: the file is empty\nRepair or .* overrides=") as caught:
        ImageClassifier("table", overrides=QUICK).fit(paths, [path.parent.name for path in paths])
    assert caught.value.listed_in is None
    with pytest.raises(BadImagesError, match=r"Repair or .* overrides=") as caught:
        ImageClassifier("table", overrides=QUICK, out=tmp_path / "run").fit(paths, [path.parent.name for path in paths])
    assert caught.value.listed_in is not None
    assert caught.value.listed_in.is_file()
