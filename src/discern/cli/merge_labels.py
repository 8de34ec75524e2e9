"""discern merge-labels: join the labels that several people gave."""

from pathlib import Path
from typing import Annotated

import typer


def merge_labels(
    labels: Annotated[list[Path], typer.Argument(metavar="LABELS...", help="Files labels.csv of discern label.")],
    out: Annotated[Path, typer.Option(help="The file to write, which must not exist.")],
) -> None:
    """Join the labels of several people, and show how far they agree; where they do not, no label holds."""
    from discern.workflows.merge_labels import merge_labels as merge_files

    merge_files(labels, out=out)
