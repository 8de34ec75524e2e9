"""The reference of the command line, from the commands themselves."""

import re
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup

from discern.cli.app import app
from generators.markdown import build_definitions, escape_text


def build_command_line() -> str:
    """Return one section a command, in the order of `discern --help`."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return "\n\n".join(_describe_group(group, "discern"))


def _describe_group(group: TyperGroup, name: str) -> Iterator[str]:
    context = typer.Context(group, info_name=name)
    for member in group.list_commands(context):
        command = group.get_command(context, member)
        assert command is not None
        yield from _describe_command(command, f"{name} {member}")
        if isinstance(command, TyperGroup):
            yield from _describe_group(command, f"{name} {member}")


def _describe_command(command: TyperCommand | TyperGroup, name: str) -> Iterator[str]:
    """Yield the heading, the purpose, the usage, and what may be given."""
    context = typer.Context(command, info_name=name)
    yield f"## {name}"
    yield escape_text(command.help or "")
    yield f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    records = [parameter.get_help_record(context) for parameter in command.params]
    yield build_definitions((f"`{_name(record[0])}`", (escape_text(record[1]),)) for record in records if record)


def _name(record: str) -> str:
    """Return the name and what it takes, `--apply <path>` for `--apply <list[Path]>`, and an argument by its name."""
    shown = re.sub(r"<(?:list\[)?(\w+)[^>]*>", lambda found: f"<{found[1].lower()}>", record)
    return shown if shown.startswith("-") else shown.partition(" <")[0]
