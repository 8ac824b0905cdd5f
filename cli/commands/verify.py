"""`irsa-remediator verify`."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import Format, error_console, progress, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.queries.stack_verification.results import Verification

WAIT_POLL_S: Final = 10.0


def verify(
    options: GlobalOptions,
    *,
    cluster: Annotated[
        list[str] | None,
        typer.Option("--cluster", "-c", help="Select a cluster, repeatable. Default: every served one.", show_default=False),
    ] = None,
    wait: Annotated[int, typer.Option("--wait", help="Repeat the checks until all are shown, for this many seconds at most.", min=0)] = 0,
    notify: Annotated[bool, typer.Option("--notify", help="Send a test message to the people topic.")] = False,
) -> int:
    """Verify that the deployed stack works: the functions answer for themselves, and an event takes its whole way.

    Changes nothing but one row of the table, which expires.

    Example: irsa-remediator verify --wait 300
    """
    from cli.clients import connection
    from cli.queries.stack_verification.results import Verification, exit_code
    from cli.queries.stack_verification.run import served_clusters
    from cli.views.stack_checks import stack_checks_view

    dependencies = connection.connect(options)
    if not dependencies.is_deployed:
        raise CommandError("no stack is deployed here", next_step="deploy it with `make deploy`, or name its environment with --stack")
    began = monotonic()
    clusters = served_clusters(dependencies, cluster or ())

    def new_run() -> Verification:
        return Verification(dependencies=dependencies, clusters=clusters, seconds=monotonic, sends_messages=notify)

    run, is_interrupted = _run_until_shown(new_run, began + wait)
    seconds = monotonic() - began
    code = ExitCode.INTERRUPTED if is_interrupted else exit_code(run.results)
    environment = dependencies.environment
    document = {
        "command": "verify",
        "exitCode": code,
        "account": environment.account,
        "region": environment.region,
        "clusters": clusters,
        "isComplete": not is_interrupted,
        "tookMs": round(seconds * 1000),
        "checks": [result.document for result in run.results],
    }
    write(options.output, document, *stack_checks_view(run.results, seconds))
    if is_interrupted and options.output is Format.TABLE:
        error_console().print("interrupted: the checks after these were not made")
    return code


def _run_until_shown(new_run: Callable[[], Verification], ends_at: float) -> tuple[Verification, bool]:
    """Return the last run, and whether a person interrupted it. A repeated run sends no second test message."""
    from cli.queries.stack_verification.results import exit_code
    from cli.queries.stack_verification.run import run_checks
    from lambdas.contract.stack_checks import CheckId

    run = new_run()
    with progress("verifying the stack") as spinner:
        try:
            while True:
                run_checks(run, spinner.update if spinner else lambda _: None)
                if exit_code(run.results) is ExitCode.OK or run.seconds() + WAIT_POLL_S > ends_at:
                    return run, False
                run.dependencies.sleep(WAIT_POLL_S)
                sent = [result for result in run.results if result.check is CheckId.TEST_MESSAGE]
                run = new_run()
                run.sends_messages, run.results = False, sent
        except KeyboardInterrupt:
            return run, True
