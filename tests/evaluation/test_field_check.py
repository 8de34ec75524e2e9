import numpy as np
import pytest

from discern.errors import DataError
from discern.evaluation.field_check import FieldCheck, check_classes, check_promise, count_needed
from discern.evaluation.given_labels import read_given_labels
from discern.evaluation.intervals import exact_interval


def build_check(**values):
    usual = {
        "run": "r",
        "source": "new",
        "seed": 0,
        "pictures": 1000,
        "sampled": 100,
        "unreadable": 0,
        "skipped": 0,
        "labelled": 100,
        "none_of_the_classes": 0,
        "accuracy": exact_interval(70, 100),
        "promised": exact_interval(190, 200),
        "promised_split": "test",
        "unfamiliar": exact_interval(12, 100),
        "usually_unfamiliar": 0.01,
        "promises": (),
        "classes": (),
    }
    return FieldCheck(**(usual | values))


@pytest.mark.parametrize(
    ("answered", "wrong", "verdict"),
    [(100, 0, "kept"), (60, 0, "open"), (100, 5, "open"), (100, 20, "broken"), (0, 0, "open")],
)
def test_a_promise_is_kept_or_broken_only_where_the_whole_interval_says_so(answered, wrong, verdict):
    is_answered = np.arange(150) < answered
    is_right = np.arange(150) >= wrong
    found = check_promise(0.05, 0.8, is_answered, is_right)
    assert (found.answered, found.wrong, found.verdict) == (answered, wrong, verdict)
    assert found.coverage.value == answered / 150
    if answered:
        assert found.error == exact_interval(wrong, answered)


def test_as_many_answers_as_are_needed_are_enough_and_one_less_is_not():
    for wrong in (0, 1, 7):
        needed = count_needed(wrong, 0.05)
        assert exact_interval(wrong, needed).high <= 0.05 < exact_interval(wrong, needed - 1).high
    assert count_needed(0, 1e-9) is None


def test_sentences_say_which_promise_holds():
    def describe(answered, wrong, threshold=0.8):
        return check_promise(0.05, threshold, np.arange(100) < answered, np.arange(100) >= wrong).describe()

    assert describe(100, 0) == "at most 5.0 % wrong answers: kept, 0 of 100 answers wrong (0.0 % to 3.6 %)"
    assert describe(100, 20) == "at most 5.0 % wrong answers: broken, 20 of 100 answers wrong (12.7 % to 29.2 %)"
    assert describe(50, 0).endswith(
        "cannot be said yet, 0 of 50 answers wrong (0.0 % to 7.1 %); 72 answers in all, without a further mistake, "
        "would show it"
    )
    assert describe(0, 0).endswith("cannot be said yet; none of the labelled pictures was answered")
    assert describe(50, 0, None).endswith("not promised, the validation pictures cannot support it")


def test_the_accuracy_is_compared_with_what_the_run_reports():
    first = next(build_check().describe())
    assert first == (
        "accuracy 70.0 % (95 % interval 60.0 % to 78.8 %) on 100 labelled pictures; the run reports 95.0 % on test: "
        "it is lower here"
    )
    assert next(build_check(accuracy=exact_interval(93, 100)).describe()).endswith("no difference is shown")
    assert next(build_check(accuracy=None, labelled=0).describe()) == "nothing is labelled yet, so nothing can be said"
    text = " ".join(build_check(skipped=3, labelled=90, unreadable=2).describe())
    assert "3 pictures could not be labelled and are left out, which may flatter" in text
    assert "drawn at random from the 1000 pictures of new" in text
    assert build_check(skipped=3, labelled=90, unreadable=2).open == 5


def test_only_classes_with_enough_pictures_have_a_number():
    labels = ["ant"] * 6 + ["bee"] * 4 + ["cow"] * 5
    found = check_classes(labels, np.arange(15) % 2 == 0, ["ant", "bee", "cow"])
    assert [(one.name, one.count, one.recall.value) for one in found] == [("ant", 6, 0.5), ("cow", 5, 0.6)]


def test_labels_are_joined_by_id_or_path_and_classes_by_name(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("path,label\n/old/new/1.jpg,Ant\nnew/2.jpg,none of these\nnew/3.jpg,\nnew/4.jpg,Cannot tell\n")
    found = read_given_labels(file, ["new/1.jpg", "new/2.jpg", "new/3.jpg", "new/4.jpg"], ["ant", "bee"])
    assert {name: tuple(one) for name, one in found.items()} == {
        "new/1.jpg": ("label", "ant"),
        "new/2.jpg": ("none", ""),
        "new/4.jpg": ("skip", ""),
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a,b\n", "its columns are a, b; expected id and label"),
        ("id,label\n1,ant\n9,bee\n", "pictures that are not in the sample:\n  row 2: '9'"),
        ("id,label\n1,cow\n2,dog\n", "none of the classes: cow, dog; expected ant, bee, none of these or cannot tell"),
    ],
)
def test_labels_that_do_not_fit_are_refused_all_at_once(tmp_path, text, error):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=error):
        read_given_labels(tmp_path / "labels.csv", ["1", "2"], ["ant", "bee"])
