"""discern recipes: list recipes, print one, and draw its learning rates."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discern.cli.completion import complete_recipe
from discern.cli.options import Overrides
from discern.cli.sections import SectionedGroup
from discern.errors import ConfigError

if TYPE_CHECKING:
    from discern.planning.plan import PhasePlan

_SCHEMA = "recipe.schema.json"

recipes_app = typer.Typer(
    cls=SectionedGroup, help="List recipes, print one, draw its learning rates.", rich_markup_mode=None
)


@recipes_app.callback(invoke_without_command=True)
def list_recipes(context: typer.Context) -> None:
    """List all recipes and their purposes."""
    if context.invoked_subcommand is not None:
        return
    from discern.config.load import load_settings
    from discern.recipes import list_recipe_names

    for name in list_recipe_names():
        recipe = load_settings(name).recipe
        typer.echo(f"{name}\n  for       {recipe.purpose}\n  time      {recipe.time}\n  expected  {recipe.expected}")
    typer.echo("\nUse one: discern train DATA --recipe NAME. Print one, to start your own: discern recipes show NAME")


@recipes_app.command("show")
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A recipe's name, or a TOML file.", autocompletion=complete_recipe)
    ],
    overrides: Overrides = None,
    rates: Annotated[bool, typer.Option("--rates", help="Also print the learning rate of every epoch.")] = False,
    schedule: Annotated[Path | None, typer.Option(help="Also draw the learning rates to this PNG.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps per epoch in the drawing.")] = 20,
) -> None:
    """Print a recipe with all its settings, as TOML for `--recipe`, and its learning rates if asked for."""
    import tomli_w

    from discern.config.load import load_settings

    settings = load_settings(name, overrides or [])
    typer.echo(
        f"#:schema ./{_SCHEMA}\n# Editors complete and check this file by {_SCHEMA} beside it, which is written by"
    )
    typer.echo(f"# discern recipes schema --out {_SCHEMA}\n\n{tomli_w.dumps(settings.to_dict())}", nl=False)
    if not rates and schedule is None:
        return
    from discern.planning.phases import TYPICAL_FACTS, plan_phases

    if not settings.training.phases:
        raise ConfigError(f"{name} has no phases, so it has no learning rates")
    phases, reasons = plan_phases(settings.training.phases, TYPICAL_FACTS)
    if reasons:
        typer.echo(f"# what depends on the data is planned here for {TYPICAL_FACTS.images} pictures")
    if rates:
        _print_rates(phases)
    if schedule is not None:
        _draw_rates(phases, steps, schedule)


def _print_rates(phases: "Sequence[PhasePlan]") -> None:
    """Print the rate at the beginning of each epoch, as TOML comments."""
    from discern.planning.schedule import simulate_schedule

    for number, point in enumerate(simulate_schedule(phases, steps_per_epoch=1), 1):
        typer.echo(f"# epoch {number:3d}  {point.phase}  learning rate {point.learning_rate:.2e}")


def _draw_rates(phases: "Sequence[PhasePlan]", steps: int, path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise ConfigError(f"--schedule writes a PNG; {path} does not end in .png")
    import pandas as pd

    from discern.planning.schedule import simulate_schedule
    from discern.plots.curves import plot_schedule
    from discern.plots.saving import save_figure

    save_figure(plot_schedule(pd.DataFrame(simulate_schedule(phases, steps))), path)
    typer.echo(f"# learning rates drawn: {path}")


@recipes_app.command("schema")
def print_schema(
    out: Annotated[
        Path | None, typer.Option(help=f"File to write, such as {_SCHEMA} beside your recipe; printed by default.")
    ] = None,
) -> None:
    """Print or write the JSON schema of recipes, which editors use to complete and check them."""
    import json

    from discern.config.schema import build_recipe_schema
    from discern.files import write_json

    if out is None:
        typer.echo(json.dumps(build_recipe_schema(), indent=2))
        return
    write_json(out, build_recipe_schema())
    typer.echo(f"written: {out}; it is found by recipes beside it that begin with: #:schema ./{out.name}")


@recipes_app.command("settings")
def list_settings() -> None:
    """List every setting with its default and meaning."""
    from discern.config.describe import describe_settings

    for line in describe_settings():
        typer.echo(line)
