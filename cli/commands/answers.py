"""`irsa-remediator approve` and `reject`."""

from typing import Annotated

import typer

from cli.asked import Asked

Incident = Annotated[str, typer.Argument(help="The incident's id, or its beginning as a message prints it.", show_default=False)]


def approve(asked: Asked, *, incident: Incident) -> int:
    """Let a repair that waits for an answer go on.

    Who answered is kept in history.

    Example: irsa-remediator approve 7f3a9c21
    """
    from cli.answering import run

    return run(asked, incident, approved=True)


def reject(asked: Asked, *, incident: Incident) -> int:
    """Let a repair that waits for an answer be: nothing is changed.

    Who answered is kept in history.

    Example: irsa-remediator reject 7f3a9c21
    """
    from cli.answering import run

    return run(asked, incident, approved=False)
