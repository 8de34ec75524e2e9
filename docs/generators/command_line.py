"""The reference of the command line, from the commands themselves."""

from collections.abc import Iterator

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from discern.cli.app import app
from generators.markdown import build_table, escape_text


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
    records = [(parameter, parameter.get_help_record(context)) for parameter in command.params]
    rows = [
        (f"`{record[0]}`", "argument" if isinstance(parameter, TyperArgument) else "option", escape_text(record[1]))
        for parameter, record in records
        if record is not None
    ]
    if rows:
        yield build_table(("name", "kind", "meaning"), rows)
