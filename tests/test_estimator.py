import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score

from discern import ImageClassifier
from discern.errors import DataError
from pictures import COLOURS, QUICK, draw_photo

SETTINGS = (*QUICK, "training.phases.*.epochs=6", "learning_rate=2e-3")


@pytest.fixture(scope="module")
def arrays():
    names = list(COLOURS) * 12
    images = np.stack([np.asarray(draw_photo(COLOURS[name], seed)) for seed, name in enumerate(names)])
    return images, np.array([{"blue": 2, "green": 10, "red": 1}[name] for name in names])


def test_it_fits_predicts_and_scores_with_labels_of_their_own_kind(arrays):
    images, labels = arrays
    classifier = ImageClassifier(recipe="table", overrides=SETTINGS).fit(images, labels)
    assert classifier.classes_.tolist() == [1, 2, 10]
    probabilities = classifier.predict_proba(images)
    assert probabilities.shape == (36, 3)
    assert np.allclose(probabilities.sum(axis=1), 1)
    predictions = classifier.predict(images)
    assert predictions.dtype == labels.dtype
    assert (classifier.classes_[probabilities.argmax(axis=1)] == predictions).all()
    assert classifier.score(images, labels) == accuracy_score(labels, predictions) > 0.6


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


def test_it_takes_paths(photos, tmp_path):
    paths = sorted(photos.rglob("*.png"))
    labels = [path.parent.name for path in paths]
    classifier = ImageClassifier("table", overrides=QUICK, out=tmp_path / "kept").fit(paths, labels)
    assert classifier.predict(paths[:5]).shape == (5,)
    assert (tmp_path / "kept" / "bundle" / "bundle.json").is_file()


def test_lengths_must_agree(arrays):
    images, labels = arrays
    with pytest.raises(DataError, match="X has 36 pictures and y has 35 labels"):
        ImageClassifier().fit(images, labels[:35])
