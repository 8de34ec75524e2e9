"""The group of commands: its help, whole sentences under a heading for each purpose, and advice on its options."""

from typing import Any

from typer.core import TyperGroup

_MAX_CHARACTERS = 300


class SectionedGroup(TyperGroup):
    """Lists each command with its first sentence, uncut, below the heading that is its `rich_help_panel`."""

    # The types of arguments and errors are private to typer, and named differently in its versions.
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

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an option that is the name of a setting is refused with the way to write it."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if hasattr(error, "option_name") and _takes_settings(error):
                _advise_setting(error)
            raise


def _takes_settings(error: Any) -> bool:
    command = getattr(error.ctx, "command", None)
    return any(parameter.name == "overrides" for parameter in getattr(command, "params", ()))


def _advise_setting(error: Any) -> None:
    """Say how the setting is written that --batch-size, --batch_size or --training.batch_size stands for."""
    from discern.config.describe import list_setting_names

    name = error.option_name.lstrip("-").replace("-", "_")
    if any(name in {full_name, full_name.partition(".")[2]} for full_name, _ in list_setting_names()):
        error.message = f"{name} is a setting, not an option; write it without hyphens: {name}=VALUE"
        error.possibilities = None
