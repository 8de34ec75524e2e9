"""discern verify: check every checksum, and compute every published number again."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import AsJson
from discern.errors import ConfigError

DISAGREEMENTS_FOUND = 1


def verify(
    place: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run folder, bundle, or file that discern export wrote.")
    ] = None,
    sign: Annotated[Path | None, typer.Option(help="Secret key to sign it with, if everything agrees.")] = None,
    key: Annotated[Path | None, typer.Option(help="Public key by which it must be signed.")] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Only make a key to sign with: this file, which is secret, and its .pub.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every checksum, and compute every published number again; exits with 1 if something disagrees."""
    if (place is None) == (new_key is None) or (new_key is not None and (sign or key or as_json)):
        raise ConfigError("give what to check: discern verify RUN; or make a key alone: discern verify --new-key FILE")
    from discern.cli.documents import keeping_output_free, print_document
    from discern.workflows.verify import make_key
    from discern.workflows.verify import verify as verify_place

    if place is None:
        make_key(str(new_key))
        return
    with keeping_output_free(as_json):
        found = verify_place(place, sign=sign, key=key)
    if as_json:
        print_document(found)
    if found.disagreements:
        raise typer.Exit(DISAGREEMENTS_FOUND)
