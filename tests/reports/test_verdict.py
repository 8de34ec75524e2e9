"""What the report says of overfitting: what was compared, and what that can tell."""

from dataclasses import replace

import pytest

from discern.evaluation.intervals import exact_interval
from discern.reports.run_facts import RunFacts, load_run_facts
from discern.reports.verdict import build_verdict
from discern.run_folder import RunFolder
from saved_runs import make_run


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> RunFacts:
    return load_run_facts(RunFolder(make_run(tmp_path_factory.mktemp("runs") / "run", ["a", "b", "c"])))


def describe(facts: RunFacts, *, train: float, validation: float, test: tuple[int, int] | None) -> str:
    assert facts.history is not None
    history = facts.history.assign(train_accuracy=train, validation_accuracy=validation)
    metrics = {"validation": facts.metrics["validation"]}
    if test is not None:
        accuracy = exact_interval(*test)
        metrics["test"] = facts.metrics["test"].model_copy(update={"accuracy": accuracy, "count": test[1]})
    split = "test" if test else "validation"
    verdict = build_verdict(replace(facts, history=history, metrics=metrics, split=split))
    assert verdict is not None
    return " ".join(verdict.sentences).replace("\u202f", " ")


def test_a_gap_to_test_is_overfitting_whatever_validation_says(facts: RunFacts) -> None:
    text = describe(facts, train=0.99, validation=0.97, test=(28, 36))
    assert "It overfits, by more than chance explains: at the epoch that was kept, it classified 99.0 %" in text
    assert "97.0 % of the validation pictures correctly, and 77.8 % of 36 test pictures, which chose nothing" in text
    assert "It overfits somewhat" in describe(facts, train=0.99, validation=0.97, test=(900, 1000))


def test_few_test_pictures_do_not_show_that_it_does_not_overfit(facts: RunFacts) -> None:
    text = describe(facts, train=0.95, validation=0.917, test=(33, 36))
    assert "It is not shown to overfit" in text
    assert "the gap to new ones may still be up to 17 points" in text
    assert "does not overfit" not in text


def test_validation_alone_cannot_tell_since_it_chose_the_epoch(facts: RunFacts) -> None:
    text = describe(facts, train=0.92, validation=0.917, test=None)
    assert "Whether it overfits is not known" in text
    assert "but these chose the epoch" in text
