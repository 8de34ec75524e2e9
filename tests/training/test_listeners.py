import io
import logging
from dataclasses import replace

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from discern.config.sections.phase import PhaseSettings
from discern.planning.phases import TYPICAL_FACTS, plan_phases
from discern.training.history import EpochRow, build_history
from discern.training.listeners import HistoryFile, LogLines, OverfittingWatch
from discern.training.progress import ProgressBar
from discern.training.stopping import EarlyStopping

HISTORY_COLUMNS = (
    "phase,epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds,images_per_second"
)


def build_row(epoch, *, train_loss=0.5, train_accuracy=0.8, validation_loss=0.6, validation_accuracy=0.7):
    return EpochRow("all", epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, 1e-3, 2.0, 50.0)


def test_history_has_the_columns_that_others_rely_on(tmp_path):
    HistoryFile(tmp_path / "history.csv").on_epoch_end([build_row(1), build_row(2)], is_best=True)
    assert (tmp_path / "history.csv").read_text().splitlines()[0] == HISTORY_COLUMNS
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "history.csv"), build_history([build_row(1), build_row(2)]), check_dtype=False
    )


def test_overfitting_is_named_once_when_the_gap_opens(caplog):
    watch = OverfittingWatch()
    rows = []
    with caplog.at_level(logging.WARNING, logger="discern"):
        for epoch, (train_loss, validation_loss) in enumerate([(0.9, 0.8), (0.6, 0.9), (0.3, 1.0), (0.2, 1.1)], 1):
            rows.append(build_row(epoch, train_loss=train_loss, validation_loss=validation_loss, train_accuracy=0.95))
            watch.on_epoch_end(rows, is_best=False)
    (message,) = caplog.messages
    assert message.startswith("overfitting since epoch 2: training accuracy is 25.0 points above validation")


def test_a_falling_validation_loss_is_no_overfitting(caplog):
    watch = OverfittingWatch()
    rows = [build_row(epoch, train_loss=1 / epoch, validation_loss=1.1 / epoch) for epoch in range(1, 6)]
    with caplog.at_level(logging.WARNING, logger="discern"):
        for count in range(1, 6):
            watch.on_epoch_end(rows[:count], is_best=True)
    assert not caplog.messages


def test_a_phase_stops_after_its_patience_and_ties_of_accuracy_go_to_the_lower_loss():
    stopping = EarlyStopping(patience=2, monitor="validation_accuracy")
    assert not stopping.observe(build_row(1, validation_loss=0.6))
    assert not stopping.observe(build_row(2, validation_loss=0.5))  # as accurate, lower loss: better
    assert not stopping.observe(build_row(3, validation_loss=0.5))
    assert stopping.observe(build_row(4, validation_accuracy=0.6))


def test_no_patience_and_no_validation_never_stop():
    assert not any(EarlyStopping(0, "validation_loss").observe(build_row(epoch)) for epoch in range(9))
    nan = float("nan")
    rows = [build_row(epoch, validation_loss=nan, validation_accuracy=nan) for epoch in range(9)]
    stopping = EarlyStopping(1, "validation_loss")
    assert not any(stopping.observe(row) for row in rows)


HEAD, ALL = (
    plan_phases([PhaseSettings(name=name, train=train, epochs=epochs, patience=patience)], TYPICAL_FACTS)[0][0]
    for name, train, epochs, patience in (("head", ("head",), 5, 0), ("all", "all", 20, 3))
)


def log_phases(lines, trained):
    """Log phases of which each is trained for so many epochs."""
    rows = []
    for phase, epochs in trained:
        lines.on_phase_start(phase, 0)
        for epoch in range(1, epochs + 1):
            lines.on_epoch_start(phase, epoch, 9)
            rows.append(replace(build_row(len(rows) + 1), phase=phase.name))
            lines.on_epoch_end(rows, is_best=epoch == 1)
    lines.on_end()


def test_log_lines_say_what_learns_and_how_it_goes(caplog):
    with caplog.at_level(logging.INFO, logger="discern"):
        log_phases(LogLines((HEAD, ALL)), [(HEAD, 5), (ALL, 20)])
    assert caplog.messages[0].startswith("phase head: training head for 5 epochs, ")
    assert caplog.messages[1] == (
        "epoch 1 of 25, head: train 80.0 % (loss 0.5000), validation 70.0 % (loss 0.6000), the best so far; "
        "2.0 s, 50 images/s"
    )
    shown = [message.split(",")[0] for message in caplog.messages if message.startswith("epoch")]
    assert shown == [f"epoch {epoch} of 25" for epoch in (1, 5, 6, 10, 15, 20, 25)]
    assert "phase all: training all layers for up to 20 epochs, " in caplog.text


def test_all_epochs_are_details_of_the_log(caplog):
    with caplog.at_level(logging.DEBUG, logger="discern"):
        log_phases(LogLines((HEAD, ALL)), [(HEAD, 5), (ALL, 20)])
    assert sum(message.startswith("epoch") for message in caplog.messages) == 25


def test_a_phase_that_ends_early_is_said_and_not_counted_on(caplog):
    early_head = HEAD.model_copy(update={"patience": 1})
    with caplog.at_level(logging.INFO, logger="discern"):
        log_phases(LogLines((early_head, ALL)), [(early_head, 2), (ALL, 7)])
    assert "phase head ended after 2 of 5 epochs" in caplog.messages
    assert caplog.messages[-1] == "phase all ended after 7 of 20 epochs"
    assert "epoch 3 of 22, all: " in caplog.text


def test_a_resumed_phase_says_where_it_begins(caplog):
    with caplog.at_level(logging.INFO, logger="discern"):
        LogLines((HEAD, ALL)).on_phase_start(HEAD, 2)
    assert caplog.messages[0].endswith("resumed after epoch 2 of the phase")


def test_the_bar_counts_the_epochs_of_the_whole_run():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    bar = ProgressBar(Progress(console=console), (HEAD, ALL))
    bar.on_epoch_start(HEAD, 1, 9)
    bar.on_epoch_end([build_row(1), build_row(2)], is_best=True)
    bar.on_epoch_start(ALL, 1, 9)
    (task,) = bar._progress.tasks
    bar.on_end()
    assert (task.description, task.completed, task.total) == ("epoch 3 of 22, all", 2, 22)
