"""A command that a view suggests, with what it does."""

from rich.text import Text


def suggested_command(command: str, effect: str) -> Text:
    """Return the command in bold, to be copied, and what it does."""
    return Text(command, style="bold").append(f"   {effect}", style="not bold dim")
