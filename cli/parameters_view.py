"""`settings describe`: every setting with its default."""

from rich.table import Table

from cli.failures import SOUND
from cli.options import Asked
from cli.output import write
from cli.parameters import described


def describe(asked: Asked) -> int:
    """List what can be set."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("setting", "default", "meaning"):
        table.add_column(column, overflow="fold", no_wrap=column == "setting")
    for it in described():
        table.add_row(it["name"], it["default"], it["description"])
    write(asked.output, {"command": "settings describe", "exitCode": SOUND, "settings": described()}, table)
    return SOUND
