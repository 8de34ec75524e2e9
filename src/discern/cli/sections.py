"""The help of a group of commands: whole sentences, under a heading for each purpose."""

from typing import Any

from typer.core import TyperGroup

_MAX_CHARACTERS = 300


class SectionedGroup(TyperGroup):
    """Lists each command with its first sentence, uncut, below the heading that is its `rich_help_panel`."""

    # The types of both arguments are private to typer, and named differently in its versions.
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands section by section, in the order in which they were added."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            heading = getattr(command, "rich_help_panel", None) or "Commands"
            sections.setdefault(heading, []).append((name, command.get_short_help_str(_MAX_CHARACTERS)))
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for heading, rows in sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), sentence) for name, sentence in rows])
