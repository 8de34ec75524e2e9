import sys

import pytest

from discern.cli.app import main


@pytest.fixture
def run_cli(monkeypatch, capsys):
    """Run a command line in this process and return exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["discern", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            sys.exit(main())
        output = capsys.readouterr()
        return caught.value.code or 0, output.out, output.err

    return run
