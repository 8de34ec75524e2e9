"""What a cell of a notebook shows: one output, which is shown anew."""

import builtins
import logging
from types import SimpleNamespace

import IPython.display
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from discern.config.sections.phase import PhaseSettings
from discern.console import reporting
from discern.notebook import NotebookOutput
from discern.planning.phases import TYPICAL_FACTS, plan_phases
from discern.predictor.progress import showing_progress
from discern.training.history import EpochRow
from discern.training.progress import build_progress

logger = logging.getLogger("discern")


@pytest.fixture
def cell(monkeypatch):
    """The states of each output of a cell of a notebook, as HTML."""
    outputs = []

    def display(shown, *, display_id):
        states = [shown._repr_html_()]
        outputs.append(states)
        return SimpleNamespace(update=lambda again: states.append(again._repr_html_()))

    class ZMQInteractiveShell:
        """Named as the shell of a kernel, by which it is recognised."""

    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr("discern.notebook._SECONDS_BETWEEN_UPDATES", 0.0)
    return outputs


def test_all_messages_of_a_call_stand_in_one_output(cell, capsys):
    with reporting(verbose=True):
        logger.info("60 pictures")
        logger.warning("some have <no label>")
    (states,) = cell
    assert len(states) == 2
    assert "60 pictures" in states[1]
    assert "border-left" in states[1]
    assert "some have &lt;no label&gt;" in states[1]
    assert capsys.readouterr().out == ""


def test_a_silent_call_shows_nothing(cell):
    with reporting(verbose=False) as messages:
        logger.warning("unseen")
        assert build_progress(messages, ()) == []
    assert cell == []


def test_epochs_are_a_table_above_a_bar_that_disappears(cell):
    phase = plan_phases([PhaseSettings(name="head", train=["head"], epochs=2)], TYPICAL_FACTS)[0][0]
    rows = [EpochRow("head", epoch, 1 / epoch, 0.8, 0.6, 0.7, 1e-3, 2.0, 50.0) for epoch in (1, 2)]
    with reporting(verbose=True) as messages:
        logger.info("plan")
        listeners = build_progress(messages, [phase])
        for epoch in (1, 2):
            for listener in listeners:
                listener.on_epoch_start(phase, epoch, batches=4)
            for listener in listeners:
                listener.on_batch(None)
            for listener in listeners:
                listener.on_epoch_end(rows[:epoch], is_best=True)
        for listener in listeners:
            listener.on_end()
        logger.info("kept: epoch 2")
    (states,) = cell
    assert '<progress value="0.0"' in states[1]
    assert any('value="62.5"' in state and "epoch 2 of 2, head" in state for state in states)
    assert "<progress" not in states[-1]
    assert states[-1].count("<tr") == 3
    assert states[-1].count("<td>kept</td>") == 1
    assert states[-1].index("plan") < states[-1].index("<table") < states[-1].index("kept: epoch 2")


def test_a_prediction_has_a_bar_until_it_ends(cell):
    with reporting(verbose=True) as messages, showing_progress(messages, 8) as advance:
        advance(2)
        advance(6)
    (states,) = cell
    assert [state.count("<progress") for state in states] == [1, 1, 1, 0]
    assert 'value="25.0"' in states[1]
    assert "8 pictures" in states[1]


def test_an_output_without_html_is_plain_text(cell):
    output = NotebookOutput()
    output.add_message("plan", is_warning=False)
    output.add_message("no test split", is_warning=True)
    assert repr(output) == "plan\nwarning: no test split"


def test_a_terminal_and_a_file_get_lines(capsys):
    with reporting(verbose=True) as messages:
        logger.info("60 pictures")
        assert messages.notebook is None
        assert build_progress(messages, ()) == []
    assert capsys.readouterr().out == "60 pictures\n"


def test_an_error_that_a_user_can_correct_is_shown_in_one_line(capsys):
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_cell("import discern\nraise discern.ConfigError('there is no such recipe')")
    assert capsys.readouterr().out.strip() == "ConfigError: there is no such recipe"
