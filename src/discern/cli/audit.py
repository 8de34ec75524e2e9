"""discern audit: find problems in labelled pictures before a classifier is trained on them."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import LABELLED, AsJson, Overrides, Verbose

ERRORS_FOUND = 1


def audit(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help=LABELLED),
    ],
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write; runs/NAME-audit by default.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what needs a pretrained network.")] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Find bad files, copies, leaks and wrong labels; exits with 1 if something must be repaired."""
    from discern.auditing.record import read_audit_record
    from discern.cli.documents import AuditDocument, keeping_output_free, print_document
    from discern.console import show_details
    from discern.workflows.audit import audit as audit_data
    from discern.workflows.audit import name_audit

    show_details(verbose)
    folder = out or name_audit(data)
    with keeping_output_free(as_json):
        found = audit_data(data, out=folder, overrides=overrides or [], form="quick" if quick else "full")
    if as_json:
        print_document(AuditDocument(folder=str(folder), audit=read_audit_record(found.content)))
    if found.has_errors:
        raise typer.Exit(ERRORS_FOUND)
