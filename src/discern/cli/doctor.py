"""discern doctor: show what discern finds on this machine, and what needs attention."""

from importlib import import_module
from typing import Annotated

import typer

from discern.errors import ConfigError, one_line

NEEDS_ATTENTION = 1


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as one JSON document.")] = False,
) -> None:
    """Show versions, device, memory, folders, weights and extras; exits with 1 if something needs attention."""
    check_loading("torch", "torchvision", "timm")
    from discern.diagnosis.gather import diagnose

    found = diagnose()
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        typer.echo("\n".join(found.describe()))
    if found.problems:
        raise typer.Exit(NEEDS_ATTENTION)


def check_loading(*packages: str) -> None:
    """Check that packages with compiled parts can be loaded, which fails where their versions do not fit together.

    Raises:
        ConfigError: One cannot.
    """
    for name in packages:
        try:
            import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            raise ConfigError(
                f"{name} cannot be loaded ({one_line(error)}); install it again with what belongs to it: "
                "pip install --force-reinstall torch torchvision timm"
            ) from None
