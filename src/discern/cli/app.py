"""The `discern` command; slow imports wait until a command runs, so that help appears at once."""

import atexit
import errno
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from discern import __version__
from discern.allocation import keep_freed_memory
from discern.cli.audit import audit
from discern.cli.cache import cache_app
from discern.cli.compare import compare
from discern.cli.completion import complete_settings_without_space
from discern.cli.demo import demo
from discern.cli.diff import diff
from discern.cli.doctor import doctor
from discern.cli.encoding import escape_unprintable, read_names_as_utf8
from discern.cli.evaluate import evaluate
from discern.cli.explain import explain
from discern.cli.export import export
from discern.cli.fieldcheck import fieldcheck
from discern.cli.interruption import ending_in_order
from discern.cli.label import label
from discern.cli.merge_labels import merge_labels
from discern.cli.predict import predict
from discern.cli.push import push
from discern.cli.recipes import recipes_app
from discern.cli.report import report
from discern.cli.review import review
from discern.cli.sections import SectionedGroup
from discern.cli.serve import serve
from discern.cli.spelling import spell_error, spelling_for_commands
from discern.cli.studio import studio
from discern.cli.train import train
from discern.cli.tune import tune
from discern.cli.verify import verify
from discern.cli.weights import weights_app
from discern.errors import DiscernError, WriteError

_START = "Get started, and see what there is"

app = typer.Typer(cls=SectionedGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)


def _add_commands(heading: str, *commands: Callable[..., None]) -> None:
    for command in commands:
        app.command(rich_help_panel=heading)(command)


_add_commands("Train and use a classifier", train, evaluate, predict, explain, report, export, push, serve)
_add_commands("Look through the pictures", label, merge_labels, audit, review)
_add_commands("Compare ways of training", diff, compare, tune)
_add_commands("Trust it elsewhere", fieldcheck, verify)
_add_commands(_START, studio, demo, doctor)
app.add_typer(recipes_app, name="recipes", rich_help_panel=_START)
app.add_typer(weights_app, name="weights", rich_help_panel=_START)
app.add_typer(cache_app, name="cache", rich_help_panel=_START)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"discern {__version__}")
        raise typer.Exit


@app.callback()
def show_version(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Turn labelled photos into an image classifier you can trust, ship and explain."""


def fail(error: DiscernError | OSError) -> NoReturn:
    """Print an error that a user can correct in one line, and exit with 2."""
    print(f"discern: {_describe(find_write_error(error) or error)}", file=sys.stderr)
    sys.exit(2)


def main(tell: Callable[[DiscernError | OSError], NoReturn] = fail) -> None:
    """Run the command line; an error that a user can correct ends it with `tell`, without a traceback."""
    read_names_as_utf8()
    escape_unprintable()
    keep_freed_memory()
    # Read when torch is loaded. Threads that wait in a busy loop are several times slower if other programs run, and
    # threads that sleep at once train 20 % slower on an idle machine; these wait for about 50 us before they sleep.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # Importing torch creates hundreds of thousands of objects. Garbage collection of them during the run and at its
    # end, when all memory is freed anyway, takes more than a second.
    gc.set_threshold(10_000, 10, 10)
    atexit.register(gc.freeze)
    complete_settings_without_space()
    try:
        with ending_in_order(), spelling_for_commands():
            app()
    except SystemExit as end:
        _exit_job(end)
        raise
    except (DiscernError, OSError) as error:
        tell(error)


def find_write_error(error: DiscernError | OSError) -> WriteError | None:
    """Return an error as one of writing a file; None if it is another."""
    from discern.files import explain_write_error

    if isinstance(error, WriteError):
        return error
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
    if isinstance(error, OSError) and error.filename and error.errno in numbers:
        return explain_write_error(error, Path(error.filename))
    return None


def _describe(error: DiscernError | OSError) -> str:
    if isinstance(error, DiscernError):
        return spell_error(error)
    return f"{error.filename}: {error.strerror or error}" if error.filename else str(error.strerror or error)


def _exit_job(end: SystemExit) -> None:
    """End a process of a torchrun job at once, after all files are written.

    An ordinary exit frees what the processes share in an unknown order, which may abort one of them.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1" and isinstance(end.code, int | None):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)
