"""discern demo: try discern offline, in about a minute."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the pictures and the runs.")] = Path("runs/demo"),
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other pictures.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier demo in --out.")] = False,
) -> None:
    """Draw a small data set of aircraft, train, evaluate and predict; no internet and no data are needed."""
    from discern.workflows.demo import run_demo

    run_demo(out, seed=seed, overwrite=overwrite)
