"""discern weights: list pretrained weights and download them."""

from typing import Annotated

import typer

from discern.cli.sections import SectionedGroup
from discern.errors import ConfigError

weights_app = typer.Typer(
    cls=SectionedGroup, help="List pretrained weights, or download them for offline use.", rich_markup_mode=None
)


@weights_app.callback(invoke_without_command=True)
def list_by_default(context: typer.Context) -> None:
    """List weights."""
    if context.invoked_subcommand is None:
        show_list()


@weights_app.command("list")
def show_list(
    part: Annotated[
        str | None,
        typer.Argument(metavar="PART", help="Part of a name, such as mobilenet: list timm's networks too."),
    ] = None,
) -> None:
    """List published weights and your own files in DISCERN_HOME/weights, and where they are on this machine."""
    from discern.models.weights.pretrained import list_weights

    rows = [row for row in list_weights() if (part or "") in row.name]
    for row in rows:
        lines = [row.name, row.path or "not downloaded", row.url, row.note]
        typer.echo("\n  ".join(str(line) for line in lines if line))
    if part is None:
        typer.echo(
            "\nAll networks of timm can be used, too. Find them by a part of their names: discern weights list "
            "mobilenet"
        )
        return
    from discern.models.backbone import TIMM_PREFIX
    from discern.models.timm_names import list_pretrained_names

    known = {row.name for row in rows}
    names = [TIMM_PREFIX + name for name in list_pretrained_names(part.removeprefix(TIMM_PREFIX))]
    others = [name for name in names if name not in known]
    if not rows and not others:
        raise ConfigError(f"no published weights have {part!r} in their names; try a shorter part, such as resnet")
    for name in others:
        typer.echo(name)
    typer.echo(f"\nUse one: discern train DATA model.backbone={(others or [rows[0].name.partition('/')[0]])[0]}")


@weights_app.command("fetch")
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Such as resnet50, resnet50/imagenet-v1 or timm:mobilenetv2_100.")
    ],
) -> None:
    """Download weights into DISCERN_HOME, timm's into the Hugging Face cache, for later use offline."""
    from discern.console import reporting
    from discern.models.weights.pretrained import fetch_weights

    with reporting(verbose=True):
        path = fetch_weights(name)
    typer.echo(path)
