"""The mean of a phase's first weights and its trained ones: what is validated and kept, and never what is trained."""

import pytest
import torch

from discern.training.averaging import MeanWithInitial
from discern.training.state_loading import load_state
from fitting import SMALL, StopInEpoch, build_fit, without_time

TUNED = [*SMALL, "training.phases.*.epochs=3"]
SHARE = "training.phases.all.initial_share"
PAIRED = ["model.features=covariances", "training.phases.all.paired_heads=true"]


def run(table, *overrides):
    fit = build_fit(table, "transfer-finetune", [*TUNED, *overrides])
    return fit, fit.run()


def list_training(result):
    return [(row.train_loss, row.train_accuracy) for row in result.rows]


def list_validation(result):
    return [(row.validation_loss, row.validation_accuracy) for row in result.rows]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_mean_lies_between_initial_weights_and_those_that_are_trained(table, share):
    classifier = build_fit(table, "transfer-finetune", TUNED).classifier
    initial = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    mean = MeanWithInitial(classifier, share)
    for tensor in classifier.state_dict().values():
        tensor.add_(1)
    mean.update(classifier)
    for name, tensor in mean.classifier.state_dict().items():
        expected = initial[name] + ((1 - share) if tensor.is_floating_point() else 1)
        torch.testing.assert_close(tensor, expected, msg=name)


def test_it_is_validated_and_kept_while_training_goes_on_without_it(table):
    (alone, without), (fit, result) = run(table), run(table, f"{SHARE}=0.5")
    assert list_training(result) == list_training(without)
    assert list_validation(result)[:3] == list_validation(without)[:3]
    assert list_validation(result)[3:] != list_validation(without)[3:]
    assert fit.classifier.state_dict().keys() == alone.classifier.state_dict().keys()


def test_with_the_whole_share_the_phase_changes_nothing(table):
    _, result = run(table, f"{SHARE}=1", "frozen_batchnorm=true")
    best = min(list_validation(result)[:3], key=lambda values: (-values[1], values[0]))
    assert list_validation(result)[3:] == [best] * 3


def test_frozen_layers_stay_bit_equal(table):
    overrides = ['training.phases.all.train=["layer4", "head"]', f"{SHARE}=0.3"]
    before = build_fit(table, "transfer-finetune", [*TUNED, *overrides]).classifier.state_dict()
    before = {name: tensor.clone() for name, tensor in before.items() if ".layer1." in name}
    fit, _ = run(table, *overrides)
    assert before
    assert all(torch.equal(fit.classifier.state_dict()[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("more", [[], ["training.ema_decay=0.9"], PAIRED])
def test_a_resumed_training_equals_the_uninterrupted_one(table, tmp_path, more):
    overrides = [*TUNED, f"{SHARE}=0.5", *more]
    whole = build_fit(table, "transfer-finetune", overrides)
    expected = whole.run()
    with pytest.raises(KeyboardInterrupt):
        build_fit(table, "transfer-finetune", overrides, tmp_path, [StopInEpoch(5)]).run()
    resumed = build_fit(table, "transfer-finetune", overrides, tmp_path)
    result = resumed.run(load_state(tmp_path))
    assert without_time(result.rows) == without_time(expected.rows)
    for (name, ours), theirs in zip(
        resumed.classifier.state_dict().items(), whole.classifier.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name
