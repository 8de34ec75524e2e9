import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.engine.schedules import compute_rate_factor
from discern.errors import RunFolderError, TrainingError
from discern.training.deadline import Deadline
from discern.training.epoch import EpochRunner
from discern.training.floor import Floor
from discern.training.history import EpochRow, build_history
from discern.training.listeners import Listener
from discern.training.outcome import describe_outcome
from discern.training.state import STATE_FILE
from discern.training.state_loading import load_state
from discern.training.stopping import BestModel
from fitting import SMALL, build_fit, build_plan, without_time

QUICK = [*SMALL, "head=mlp", "dropout=0.3"]
EVERYTHING = [
    *QUICK,
    "training.ema_decay=0.9",
    "training.mixup=0.2",
    "training.cutmix=1.0",
    "training.clip_norm=1.0",
    "training.accumulation_steps=2",
    "training.balance=sampler",
    "training.phases.*.schedule=plateau",
    "training.phases.*.patience=4",
    "training.phases.*.warmup_epochs=0.5",
    "training.phases.*.epochs=3",
    "model.stochastic_depth=0.2",
]


class StopAfter(Listener):
    """Interrupts like a person at the keyboard, in the middle of an epoch."""

    def __init__(self, epochs: int, batches: int) -> None:
        self.left = epochs
        self.batches = batches

    def on_epoch_start(self, phase, epoch, batches):
        self.left -= 1

    def on_batch(self, result):
        if self.left < 0:
            self.batches -= 1
            if self.batches < 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("epochs_before", [0, 2, 3, 5])
def test_a_resumed_training_equals_the_uninterrupted_one_bit_for_bit(table, tmp_path, epochs_before):
    """In the first epoch, in the middle of a phase, at the border of two, and in the last epoch."""
    overrides = ["training.phases.head.epochs=3", *EVERYTHING]
    whole = build_fit(table, "transfer-finetune", overrides)
    expected = whole.run()
    interrupted = build_fit(table, "transfer-finetune", overrides, tmp_path, [StopAfter(epochs_before, batches=1)])
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    torch.rand(7)  # the process that goes on is another one, with other dice
    np.random.rand(3)
    resumed = build_fit(table, "transfer-finetune", overrides, tmp_path)
    result = resumed.run(load_state(tmp_path) if epochs_before else None)
    assert without_time(result.rows) == without_time(expected.rows)
    assert result.best.epoch == expected.best.epoch
    assert result.floor.row.epoch == expected.floor.row.epoch <= 3
    assert torch.equal(result.floor.logits, expected.floor.logits)
    for (name, ours), theirs in zip(
        resumed.classifier.state_dict().items(), whole.classifier.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs), name


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_every_optimizer_survives_the_state_bit_for_bit(table, tmp_path, optimizer):
    overrides = [*QUICK, f"optimizer={optimizer}", "training.phases.*.epochs=2", "schedule=one-cycle"]
    expected = build_fit(table, "table", overrides).run()
    interrupted = build_fit(table, "table", overrides, tmp_path, [StopAfter(1, batches=0)])
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    result = build_fit(table, "table", overrides).run(load_state(tmp_path))
    assert without_time(result.rows) == without_time(expected.rows)


def test_frozen_is_bit_equal_and_the_rest_moves(table):
    fit = build_fit(table, "transfer", [*QUICK, "training.phases.*.epochs=2"])
    before = {name: tensor.clone() for name, tensor in fit.classifier.state_dict().items()}
    fit.run()
    for name, tensor in fit.classifier.state_dict().items():
        if name.startswith("backbone."):
            assert torch.equal(tensor, before[name]), name
    assert not torch.equal(fit.classifier.state_dict()["head.layers.0.weight"], before["head.layers.0.weight"])


def test_frozen_batchnorm_keeps_statistics_where_weights_learn(table):
    fit = build_fit(table, "table", [*QUICK, "training.phases.*.epochs=1", "frozen_batchnorm=true"])
    before = {name: tensor.clone() for name, tensor in fit.classifier.state_dict().items()}
    fit.run()
    after = fit.classifier.state_dict()
    statistics = [name for name in before if "running" in name or "num_batches" in name]
    assert statistics
    assert all(torch.equal(after[name], before[name]) for name in statistics)
    assert not torch.equal(after["backbone.network.conv1.weight"], before["backbone.network.conv1.weight"])


def test_without_acceleration_no_network_is_transformed(table, monkeypatch):
    overrides = [*QUICK, "training.phases.*.epochs=1", "frozen_batchnorm=true"]
    accelerated = build_fit(table, "table", overrides).run()
    for place in ("engine.train_step.accelerate_training", "engine.forward.accelerate_inference"):
        monkeypatch.setattr(f"discern.{place}", lambda *_, **__: pytest.fail("accelerated"))
    plain = build_fit(table, "table", [*overrides, "run.acceleration=off"]).run()
    assert plain.rows[0].train_loss == pytest.approx(accelerated.rows[0].train_loss, rel=1e-3)
    assert plain.rows[0].validation_loss == pytest.approx(accelerated.rows[0].validation_loss, rel=1e-3)


def test_the_best_epochs_weights_are_what_is_left(table):
    fit = build_fit(table, "table", [*QUICK, "training.phases.*.epochs=4", "learning_rate=3e-3"])
    result = fit.run()
    best = max(result.rows, key=lambda row: (row.validation_accuracy, -row.validation_loss))
    assert result.best == best
    for name, tensor in fit.classifier.state_dict().items():
        assert torch.equal(tensor, fit.best.weights[name])


def row(epoch, accuracy, loss):
    return EpochRow("phase", epoch, 0.0, 0.0, loss, accuracy, 0.0, 1.0, 1.0)


def test_the_floor_gives_way_only_to_a_higher_accuracy():
    best = BestModel("validation_accuracy")
    network = torch.nn.Linear(1, 1)
    assert best.observe(row(1, 0.8, 0.9), network, None)
    best.floor = best.row
    assert not best.observe(row(2, 0.8, 0.1), network, None)
    assert best.observe(row(3, 0.9, 0.9), network, None)
    # From then on equal accuracies go to the lower loss, as ever.
    assert best.observe(row(4, 0.9, 0.8), network, None)
    monitored_by_loss = BestModel("validation_loss")
    monitored_by_loss.observe(row(1, 0.8, 0.9), network, None)
    monitored_by_loss.floor = monitored_by_loss.row
    assert monitored_by_loss.observe(row(2, 0.7, 0.1), network, None)


def test_an_epoch_that_was_not_picked_needs_only_a_lower_loss_than_the_floor():
    def is_kept(monitor, accuracy, loss):
        best, network = BestModel(monitor), torch.nn.Linear(1, 1)
        best.observe(row(1, 0.8, 0.9), network, None)
        best.floor = best.row
        return best.observe(row(2, accuracy, loss), network, None, is_final=True)

    assert is_kept("validation_accuracy", 0.9, 1.0)
    assert is_kept("validation_accuracy", 0.7, 0.8)
    assert not is_kept("validation_accuracy", 0.8, 0.9)
    assert not is_kept("validation_accuracy", 0.7, 1.0)
    assert not is_kept("validation_loss", 0.9, 1.0)


class Requests(Listener):
    """Asks to end after some epochs, and records what is kept at the end of each phase."""

    def __init__(self, epochs: int | None) -> None:
        self.epochs, self.best, self.kept = epochs, [], []

    def on_epoch_end(self, rows, *, is_best):
        self.best.append(is_best)
        return len(rows) == self.epochs

    def on_phase_end(self, phase, kept):
        self.kept.append((phase.name, kept.epoch))


def answer_scores(monkeypatch, scores):
    """Let the validations of a training have these accuracies and losses; return the weights that each was asked of."""
    run, scores, seen = EpochRunner.run, iter(scores), []

    def score(runner, phase, number):
        epoch = run(runner, phase, number)
        seen.append({name: tensor.clone() for name, tensor in phase.classifier.state_dict().items()})
        accuracy, loss = next(scores)
        return epoch._replace(row=replace(epoch.row, validation_loss=loss, validation_accuracy=accuracy))

    monkeypatch.setattr(EpochRunner, "run", score)
    return seen


LAST = ["training.phases.*.keep=last", "training.phases.*.epochs=3", "training.phases.*.schedule=one-cycle"]


@pytest.mark.parametrize(("asked", "kept"), [(None, 6), (5, 5)])
def test_the_last_epoch_of_a_phase_is_kept_however_good_those_before_were(table, monkeypatch, asked, kept):
    """Also where the training is ended before."""
    scores = [(0.9, 0.1), (0.9, 0.1), (0.5, 5.0), (0.9, 0.2), (0.6, 0.3), (0.6, 0.4)]
    seen = answer_scores(monkeypatch, scores)
    fit = build_fit(table, "transfer-finetune", [*QUICK, *LAST], listeners=[(follower := Requests(asked))])
    result = fit.run()
    assert result.best == result.rows[-1]
    assert result.best.epoch == kept
    assert follower.kept == [("head", 3), ("all", kept)]
    assert not any(follower.best)
    for name, tensor in fit.classifier.state_dict().items():
        assert torch.equal(tensor, seen[kept - 1][name])


def test_a_resumed_training_that_keeps_its_last_epoch_equals_the_uninterrupted_one(table, tmp_path):
    """Nothing is kept yet where it is interrupted."""
    overrides = [*QUICK, *LAST]
    whole = build_fit(table, "table", overrides)
    expected = whole.run()
    interrupted = build_fit(table, "table", overrides, tmp_path, [StopAfter(2, batches=0)])
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    resumed = build_fit(table, "table", overrides, tmp_path)
    result = resumed.run(load_state(tmp_path))
    assert without_time([result.best]) == without_time([expected.best])
    for ours, theirs in zip(
        resumed.classifier.state_dict().values(), whole.classifier.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_a_phase_whose_last_epoch_is_worse_leaves_what_was_kept_before(table, monkeypatch):
    answer_scores(monkeypatch, [(0.5, loss) for loss in (9.0, 0.1, 0.2, 0.05, 0.3, 0.4)])
    fit = build_fit(table, "transfer-finetune", [*QUICK, *LAST])
    result = fit.run()
    assert result.best.epoch == 3
    outcome = describe_outcome(result, fit.data.validation.targets(), fit.training, fit.phases)
    assert outcome.endswith(": the last of 3 later epochs had 50.0 %, and a loss of 0.4000 instead of 0.2000")


def test_two_phases_of_the_head_alone_have_no_floor(table):
    overrides = ["training.phases.*.epochs=1", 'training.phases.all.train=["head"]', *QUICK]
    assert build_fit(table, "transfer-finetune", overrides).run().floor is None


def test_training_ends_where_no_later_phase_could_be_shown_to_be_better(table, caplog):
    overrides = ["training.phases.*.epochs=1", 'training.phases.head.head_solver="lbfgs"', *SMALL]
    fit = build_fit(table, "transfer-finetune", [*overrides, "training.must_gain=true"])
    with caplog.at_level(logging.INFO, "discern"):
        ended = fit.run()
    whole = build_fit(table, "transfer-finetune", overrides).run()
    assert [row.phase for row in whole.rows] == ["head", "all"]
    assert without_time(ended.rows) == without_time(whole.rows[:1])
    errors = int((whole.floor.logits.argmax(dim=1).numpy() != fit.data.validation.targets()).sum())
    assert f"phase head is wrong on {errors} of {len(fit.data.validation)} validation pictures" in caplog.text
    outcome = describe_outcome(ended, fit.data.validation.targets(), fit.training, fit.phases)
    assert outcome.endswith(": no later epoch was trained, since too few pictures are wrong to show that one is better")


@pytest.mark.parametrize(("must_gain", "epochs"), [("true", 4), ("false", 6)])
def test_a_phase_that_is_far_behind_the_floor_late_in_its_course_ends(table, caplog, monkeypatch, must_gain, epochs):
    monkeypatch.setattr(Floor, "leaves_gain", lambda floor, targets: True)
    overrides = ["training.phases.head.epochs=1", 'training.phases.head.head_solver="lbfgs"', *SMALL]
    overrides += ["training.phases.all.epochs=6", "learning_rate=3e-3", f"training.must_gain={must_gain}"]

    def learn_the_next_class(logits, targets):
        return torch.nn.functional.cross_entropy(logits, (targets + 1) % 3)

    with caplog.at_level(logging.INFO, "discern"):
        result = build_fit(table, "transfer-finetune", overrides, loss=learn_the_next_class).run()
    assert [row.phase for row in result.rows] == ["head", *["all"] * epochs]
    text = "phase all ends after 4 of 6 epochs, since it will not reach phase head any more: all over head: -"
    assert (text in caplog.text) is (must_gain == "true")
    assert result.best.phase == "head"


@pytest.mark.parametrize(
    ("errors", "of", "expected"),
    [
        (0, 100, False),
        (5, 100, False),
        (6, 100, True),
        (100, 100, True),
        # One in twenty or fewer: half of them have to be enough.
        (6, 120, False),
        (10, 200, False),
        (11, 220, True),
        (6, 10, True),
    ],
)
def test_six_mended_errors_can_be_told_from_chance(errors, of, expected):
    targets = np.zeros(of, np.int64)
    logits = torch.eye(2)[[1] * errors + [0] * (of - errors)]
    floor = Floor(EpochRow("head", 1, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0), logits)
    assert floor.count_errors(targets) == errors
    assert floor.leaves_gain(targets) is expected


@pytest.mark.parametrize(("errors", "share"), [(5, "all"), (6, "half")])
def test_why_training_ends_is_logged(errors, share, caplog):
    floor = Floor(
        EpochRow("probe", 1, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0), torch.eye(2)[[1] * errors + [0] * (153 - errors)]
    )
    with caplog.at_level(logging.INFO, "discern"):
        assert floor.ends_training(np.zeros(153, np.int64))
    assert caplog.messages == [
        f"training ends here: phase probe is wrong on {errors} of 153 validation pictures; if {share} of them were "
        "corrected, the gain could still be chance. With training.must_gain=false the other phases are trained, too"
    ]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], True),
        (["training.phases.fine-tune.epochs=3"], False),
        (["training.monitor=validation_loss"], False),
        (["training.must_gain=false"], False),
        (["training.phases.fine-tune.epochs=3", "training.must_gain=true"], True),
    ],
)
def test_epochs_that_are_asked_for_are_trained(table, overrides, expected):
    assert build_plan(table, "auto", [*SMALL, *overrides]).training.must_gain is expected


class Countdown(Deadline):
    """A deadline with `left` seconds for training now, and `step` fewer each time it is asked."""

    def __init__(self, left, step):
        super().__init__(seconds=left)
        self.left, self.step = left, step

    def left_seconds(self):
        self.left -= self.step
        return self.left


def run_within(table, deadline, epochs, **planned):
    overrides = [*QUICK, f"training.phases.*.epochs={epochs}", "schedule=one-cycle"]
    fit = build_fit(table, "table", overrides, deadline=deadline)
    fit.phases = [phase.model_copy(update=planned) for phase in fit.phases]
    return fit.run()


def test_a_plan_is_shortened_when_the_machine_is_slow(table, caplog):
    with caplog.at_level(logging.INFO, "discern"):
        result = run_within(table, Countdown(10.0, 3.0), epochs=500)
    assert len(result.rows) < 500
    assert "instead of 500, since one took" in caplog.text
    # The rate has come down all the same.
    assert result.rows[-1].learning_rate < 0.5 * max(row.learning_rate for row in result.rows) or len(result.rows) < 3


@pytest.mark.parametrize("planned", [1, 2])
def test_time_that_is_left_is_used_even_by_a_plan_of_one_epoch(table, caplog, planned):
    with caplog.at_level(logging.INFO, "discern"):
        result = run_within(table, Countdown(1e6, 0.0), epochs=planned, max_epochs=3)
    trained = [row.phase for row in result.rows]
    assert trained.count(trained[-1]) == 3
    assert f"3 epochs instead of {planned}" in caplog.text


def test_the_rate_comes_to_its_end_within_the_last_epoch_where_there_is_time_for_a_part_of_it(table):
    def first_rate(**planned):
        return run_within(table, Countdown(1e6, 0.0), epochs=2, **planned).rows[0].learning_rate

    steps = -(-len(table.select("train")) // 8)
    phase = build_plan(table, "table", [*QUICK, "schedule=one-cycle"]).phases[0]
    for length in (1.5, 2.0):
        expected = phase.learning_rate * compute_rate_factor((steps - 1) / steps, length, phase)
        assert first_rate(length=length) == pytest.approx(expected)
    assert first_rate() == first_rate(length=2.0)


def test_an_epoch_ends_when_the_time_is_up(table, caplog):
    with caplog.at_level(logging.INFO, "discern"):
        result = run_within(table, Countdown(0.0, 1.0), epochs=5)
    assert len(result.rows) == 1
    assert "the epoch ends after 1 batches" in caplog.text


def test_a_plan_is_extended_while_it_is_early_and_there_is_time(table):
    assert len(run_within(table, Countdown(1e6, 0.0), epochs=4, max_epochs=9).rows) == 9
    assert len(run_within(table, Countdown(1e6, 0.0), epochs=4).rows) == 4


def test_early_stopping_ends_a_phase(table):
    # A rate of nearly nothing moves no prediction, so that nothing gets better.
    overrides = [*QUICK, "training.phases.*.epochs=9", "learning_rate=1e-30", "patience=2", "frozen_batchnorm=true"]
    assert len(build_fit(table, "table", overrides).run().rows) == 3


def test_order_and_augmentation_do_not_depend_on_loader_processes(table):
    overrides = [*QUICK, "training.phases.*.epochs=2", "augment=standard"]
    alone = build_fit(table, "table", overrides, workers=0).run()
    helped = build_fit(table, "table", overrides, workers=2).run()
    assert without_time(alone.rows) == without_time(helped.rows)


def test_a_diverging_training_names_its_last_good_state(table, tmp_path):
    class Poison(Listener):
        def on_epoch_end(self, rows, *, is_best):
            torch.nn.init.constant_(fit.classifier.backbone.network.conv1.weight, float("nan"))

    fit = build_fit(table, "table", QUICK, tmp_path, [Poison()])
    with pytest.raises(TrainingError, match=r"the loss is nan at step 1 of epoch 2 .*last good state .* epoch 1, in"):
        fit.run()


def test_without_a_validation_split_the_last_epoch_is_kept(photos):
    table = split_table(load_table(photos), fractions=(1.0, 0.0, 0.0), seed=0)[0]
    result = build_fit(table, "table", [*QUICK, "training.phases.*.epochs=2", "patience=1"]).run()
    assert result.best == result.rows[-1]
    assert len(result.rows) == 2
    assert np.isnan(result.best.validation_loss)


def test_a_damaged_state_is_reported(tmp_path):
    (tmp_path / STATE_FILE).write_bytes(b"not a state")
    with pytest.raises(RunFolderError, match=r"is damaged .*start again with overwrite=True"):
        load_state(tmp_path)


def test_a_listener_ends_the_training_and_the_best_epoch_is_kept(table, tmp_path):
    class StopAtTwo(Listener):
        def on_epoch_end(self, rows, *, is_best):
            return len(rows) == 2

    overrides = [*QUICK, "training.phases.*.epochs=3"]
    fit = build_fit(table, "transfer-finetune", overrides, tmp_path, [StopAtTwo()])
    result = fit.run()
    assert len(result.rows) == 2
    assert result.best in result.rows
    # What is saved says that nothing is left to be done.
    assert load_state(tmp_path).progress.phase_index == 2


def test_a_loss_of_the_users_own_is_learned_from_as_sum_or_mean(table):
    def of_each(logits, targets):
        return torch.nn.functional.cross_entropy(logits, targets, reduction="none")

    overrides = [*QUICK, "training.phases.*.epochs=2", "dropout=0"]
    usual = build_fit(table, "table", overrides).run()
    for loss in (of_each, torch.nn.CrossEntropyLoss()):
        own = build_fit(table, "table", overrides, loss=loss).run()
        for row, expected in zip(own.rows, usual.rows, strict=True):
            assert row.train_loss == pytest.approx(expected.train_loss, rel=1e-4)
    unlearned = build_fit(table, "table", overrides, loss=lambda logits, targets: -of_each(logits, targets)).run()
    assert usual.rows[1].train_loss < usual.rows[0].train_loss
    assert unlearned.rows[1].train_loss > unlearned.rows[0].train_loss


def test_a_loss_of_a_wrong_shape_is_refused(table):
    fit = build_fit(table, "table", QUICK, loss=lambda logits, targets: logits)
    with pytest.raises(TrainingError, match=r"the loss has shape \(8, 3\); expected one number"):
        fit.run()


def test_metrics_of_the_users_own_are_in_the_history(table):
    seen = []

    def count(targets, probabilities):
        seen.append((targets.shape, probabilities.shape))
        return (probabilities.argmax(axis=1) == targets).mean()

    result = build_fit(table, "table", [*QUICK, "training.phases.*.epochs=2"], metrics={"share": count}).run()
    history = build_history(result.rows)
    assert history["validation_share"].tolist() == pytest.approx(history["validation_accuracy"].tolist())
    validation = len(table.select("validation"))
    assert seen == [((validation,), (validation, 3))] * 2
