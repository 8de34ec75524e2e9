"""discern weights: what is published, what is here, and fetching it beforehand."""

from typing import Annotated

import typer

weights_app = typer.Typer(help="List pretrained weights, or fetch them for use offline.", rich_markup_mode=None)


@weights_app.callback(invoke_without_command=True)
def list_by_default(context: typer.Context) -> None:
    """List weights."""
    if context.invoked_subcommand is None:
        show_list()


@weights_app.command("list")
def show_list() -> None:
    """List the weights published for our networks, and what of timm's is cached."""
    from discern.models.weights.pretrained import discern_home, list_weights

    for row in list_weights(discern_home() / "weights"):
        place = str(row.path) if row.cached else "not here"
        typer.echo(f"{row.name}\n  {place}\n  {row.url}\n  {row.note}")


@weights_app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="Such as resnet50, resnet50/imagenet-v1 or timm:mobilenetv2_100.")],
) -> None:
    """Download weights into the cache (DISCERN_HOME), to use later without a network."""
    from discern.models.weights.pretrained import discern_home, fetch_weights

    typer.echo(fetch_weights(name, discern_home() / "weights"))
