"""The console that the commands speak through."""

from rich.console import Console


def build_console() -> Console:
    """Return a console on standard output that never marks numbers or breaks lines by itself."""
    return Console(highlight=False, soft_wrap=True)
