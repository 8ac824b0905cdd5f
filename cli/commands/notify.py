"""`irsa-remediator notify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import ExitCode
from cli.options import GlobalOptions
from cli.output import progress, write

if TYPE_CHECKING:
    from rich.table import Table

    from cli.queries.topics import Topic


def notify(
    options: GlobalOptions, *, test: Annotated[bool, typer.Option("--test", help="Send a test message to chat and people.")] = False
) -> int:
    """Show who is notified, and with --test send a message in the form of every other message.

    Exit code 1 where no subscription exists, or where one is not confirmed.

    Example: irsa-remediator notify --test
    """
    from rich.text import Text

    from cli.clients import connection
    from cli.queries.incidents import require_stack
    from cli.queries.topics import is_anyone_notified, sample_message, topics

    dependencies = connection.connect(options)
    require_stack(dependencies)
    environment = dependencies.environment
    with progress("reading the topics"):
        found = topics(dependencies)
    if test:
        dependencies.notifier.send(sample_message(environment, dependencies.caller, dependencies.now()))
    code = ExitCode.OK if is_anyone_notified(found) else ExitCode.BROKEN
    document = {
        "command": "notify",
        "exitCode": code,
        "account": environment.account,
        "region": environment.region,
        "isTestSent": test,
        "topics": [topic.document for topic in found],
    }
    pending = "" if code is ExitCode.OK else "A receiver confirms by the link in the first message. "
    sent = "Test message sent. SNS does not report its arrival: ask a receiver."
    write(options.output, document, _table(found), Text(f"\n{pending}{sent if test else 'Send a test: irsa-remediator notify --test'}"))
    return code


def _table(topics: list[Topic]) -> Table:
    """Return one line for each subscription, or the sentence that a topic has none."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("topic", "protocol", "endpoint", "state"):
        table.add_column(column, overflow="fold")
    for topic in topics:
        for item in topic.subscriptions:
            state = Text("confirmed", style="green") if item.is_confirmed else Text("not confirmed", style="bold red")
            table.add_row(topic.name, item.protocol, item.label, state)
        if not topic.subscriptions:
            table.add_row(topic.name, "–", "–", Text("no subscription", style="bold red"))
    return table
