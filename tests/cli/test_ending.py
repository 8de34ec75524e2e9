"""What a command says and how it ends when a signal comes, in this process."""

import signal

import pytest

from discern.cli import app


@pytest.fixture(autouse=True)
def _usual_handlers():
    """Obey both signals, also where the tests are a job in the background, which ignores Ctrl-C."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    earlier = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


def interrupt(number):
    signal.raise_signal(number)


def interrupt_an_import(number):
    try:
        signal.raise_signal(number)
    except BaseException as error:
        raise RecursionError("as NumPy does") from error


@pytest.mark.parametrize("work", [interrupt, interrupt_an_import])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_command_says_so_in_one_line(run_cli, monkeypatch, work, number, code):
    monkeypatch.setattr(app, "app", lambda: work(number))
    assert run_cli("audit", "x") == (code, "", "discern: interrupted\n")


def test_other_errors_stay_what_they_are_and_handlers_are_given_back(run_cli):
    before = signal.getsignal(signal.SIGTERM)
    assert run_cli("explain", "no_such_run", "x")[0] == 2
    assert signal.getsignal(signal.SIGTERM) is before
