"""discern weights: list pretrained weights and download them."""

from typing import Annotated

import typer

weights_app = typer.Typer(help="List pretrained weights, or download them for offline use.", rich_markup_mode=None)


@weights_app.callback(invoke_without_command=True)
def list_by_default(context: typer.Context) -> None:
    """List weights."""
    if context.invoked_subcommand is None:
        show_list()


@weights_app.command("list")
def show_list() -> None:
    """List the weights published for our networks, and those of timm that are cached."""
    from discern.models.weights.pretrained import list_weights

    for row in list_weights():
        typer.echo(f"{row.name}\n  {row.path or 'not downloaded'}\n  {row.url}\n  {row.note}")


@weights_app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="Such as resnet50, resnet50/imagenet-v1 or timm:mobilenetv2_100.")],
) -> None:
    """Download weights into DISCERN_HOME, timm's into the Hugging Face cache, for later use offline."""
    from discern.models.weights.pretrained import fetch_weights

    typer.echo(fetch_weights(name))
