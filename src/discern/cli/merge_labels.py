"""discern merge-labels: join the labels that several people gave."""

from pathlib import Path
from typing import Annotated

import typer


def merge_labels(
    labellings: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Folders of discern label, or the labels.csv in them.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to write; discern label goes on in it.")],
) -> None:
    """Join the labels of several people, and show how far they agree; where they do not, discern label asks again."""
    from discern.workflows.merge_labels import merge_labels as merge_folders

    merge_folders(labellings, out=out)
