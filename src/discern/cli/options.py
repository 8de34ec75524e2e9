"""Options that several commands share."""

import json
from pathlib import Path
from typing import Annotated

import typer

from discern.cli.completion import complete_setting

LABELLED = (
    "Labelled pictures: folder of class folders (or of train, val and test), an archive of it, a table (CSV, JSON "
    "lines, .xlsx, text list, Parquet), tar shards, or .npz file."
)
"""What DATA may be."""

ImageColumn = Annotated[str | None, typer.Option(help="CSV column with file names or ids; guessed by default.")]
LabelColumn = Annotated[str | None, typer.Option(help="CSV column with labels; guessed by default.")]
LabelPattern = Annotated[
    str | None,
    typer.Option(help=r"Regular expression that finds labels in the names of pictures, such as '(?P<label>.+)_\d+'."),
]
SplitColumn = Annotated[
    str | None,
    typer.Option(help="CSV column with train, validation and test; guessed by default; none: there is none."),
]
ImageRoot = Annotated[Path | None, typer.Option(help="Folder or archive that file names in a CSV are relative to.")]
ImageSuffix = Annotated[str | None, typer.Option(help="Extension to add to ids in a CSV, such as .jpg.")]
RUN_HELP = "Run folder, its bundle, or one on the Hugging Face Hub: hf://USER/NAME, or hf://USER/NAME@REVISION."
RunOrBundle = Annotated[str, typer.Argument(metavar="RUN", help=RUN_HELP)]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show more, such as every epoch and the reason for each choice.")
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the results as one JSON document; messages go to standard error."),
]
Views = Annotated[
    str | None,
    typer.Option(
        "--tta",
        help="Test-time augmentation: none; flip: mean over a picture and its mirror image; five: over it and four "
        "shifted ones. [default: as trained]",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
PageToken = Annotated[
    str | None,
    typer.Option(envvar="DISCERN_TOKEN", show_envvar=True, help="Secret of the page. [default: a new one]"),
]
Moved = Annotated[
    Path | None, typer.Option("--data", help="Folder that the pictures of the run were moved to, if they were.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Settings that override the recipe, such as training.batch_size=16; discern recipes settings lists all.",
        autocompletion=complete_setting,
    ),
]
Apply = Annotated[
    list[Path] | None,
    typer.Option(help="fixes.csv of an audit or overrides.csv of a review to apply; may be given several times."),
]


def list_fixes(apply: list[Path] | None) -> list[str]:
    """Return the override for the files of --apply."""
    return [f"data.fixes={json.dumps([str(path) for path in apply])}"] if apply else []
