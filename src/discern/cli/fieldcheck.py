"""discern fieldcheck: label a random sample of new pictures, and see what holds there."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import AsJson, Device
from discern.cli.pages import Open, announce_page


def fieldcheck(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or its bundle.")],
    new: Annotated[list[str], typer.Argument(metavar="NEW...", help="New pictures: files, folders, or a CSV.")],
    label: Annotated[int, typer.Option(min=1, help="How many pictures to draw and label.")] = 100,
    labels: Annotated[
        Path | None, typer.Option(help="CSV with id and label instead of the page: sample.csv, filled in.")
    ] = None,
    max_error: Annotated[
        list[float] | None,
        typer.Option(
            help="Share of wrong answers whose promise is checked, such as 0.05; may be given several times. "
            "[default: 0.01, 0.02, 0.05, 0.1]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write, or to continue; fieldchecks/RUN-NEW by default.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8002,
    device: Device = "auto",
    opens: Open = False,
    as_json: AsJson = False,
) -> None:
    """Label a random sample of new pictures on a local page; show what accuracy holds there, and which promises."""
    from discern.cli.documents import keeping_output_free, print_document
    from discern.evaluation.coverage import REPORTED_ERRORS
    from discern.workflows.fieldcheck import fieldcheck as check_field

    root = run.resolve().parent if run.name == "bundle" else run.resolve()
    folder = out or Path("fieldchecks") / f"{root.name}-{Path(new[0]).resolve().stem}"
    with keeping_output_free(as_json):
        found = check_field(
            run,
            new,
            out=folder,
            label=label,
            labels=labels,
            max_errors=max_error or REPORTED_ERRORS,
            seed=seed,
            device=device,
            port=port,
        )
        announce_page("report", folder / "fieldcheck.html", opens=opens)
    if as_json:
        print_document(found)
