"""discern audit: find problems in labelled pictures before a classifier is trained on them."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import Overrides, Verbose

ERRORS_FOUND = 1


def audit(
    data: Annotated[
        str, typer.Argument(help="Folder of class folders (or of train, val and test), CSV, or .npz file.")
    ],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write; runs/NAME-audit by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what needs a pretrained network.")] = False,
    verbose: Verbose = False,
) -> None:
    """Find bad files, copies, leaks and wrong labels; exits with 1 if something must be repaired."""
    from discern.console import show_details
    from discern.workflows.audit import audit as audit_data

    show_details(verbose)
    found = audit_data(data, out=out, overrides=overrides or [], form="quick" if quick else "full")
    if found.has_errors:
        raise typer.Exit(ERRORS_FOUND)
