"""`irsa-remediator verify`."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import Format, confirm, error_console, is_interactive, progress, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.interactive.drill import DrillOptions
    from cli.queries.stack_verification.results import Verification

WAIT_POLL_S: Final = 10.0
DRILL: Final = "Fire drill"


def verify(
    options: GlobalOptions,
    *,
    cluster: Annotated[
        list[str] | None,
        typer.Option("--cluster", "-c", help="Select a cluster, repeatable. Default: every served one.", show_default=False),
    ] = None,
    wait: Annotated[int, typer.Option("--wait", help="Repeat the checks until all are shown, for this many seconds at most.", min=0)] = 0,
    notify: Annotated[bool, typer.Option("--notify", help="Send a test message to the people topic.")] = False,
    drill: Annotated[
        bool, typer.Option("--drill", help="Let the stack repair a throw-away ServiceAccount, then delete it.", rich_help_panel=DRILL)
    ] = False,
    role: Annotated[
        str,
        typer.Option("--role", metavar="ARN", help="Use this role, which trusts the ServiceAccount of the drill.", rich_help_panel=DRILL),
    ] = "",
    image: Annotated[str, typer.Option("--image", help="Use this image of a container that does nothing.", rich_help_panel=DRILL)] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the drill.", rich_help_panel=DRILL)] = False,
    clean_up: Annotated[bool, typer.Option("--clean-up", help="Delete what an interrupted drill has left.", rich_help_panel=DRILL)] = False,
) -> int:
    """Verify that the deployed stack works: the functions answer for themselves, and an event takes its whole way.

    Changes nothing but one row of the table, which expires. A drill creates and deletes a namespace and a binding.

    Example: irsa-remediator verify --wait 300
    """
    from cli.clients import connection

    if not drill and (role or image or yes or clean_up):
        raise CommandError("--role, --image, --yes and --clean-up belong to a drill", next_step="add --drill")
    if drill and len(cluster or ()) != 1:
        raise CommandError("a drill needs exactly one cluster", next_step="name it with --cluster")
    dependencies = connection.connect(options)
    if not dependencies.is_deployed:
        raise CommandError("no stack is deployed here", next_step="deploy it with `make deploy`, or name its environment with --stack")
    if drill and cluster:
        return _clean_up(options, cluster[0], dependencies) if clean_up else _drill(options, (cluster[0], role, image), dependencies, yes)
    return _verify(options, cluster or (), dependencies, wait=wait, notify=notify)


def _verify(options: GlobalOptions, named: Sequence[str], dependencies: Dependencies, *, wait: int, notify: bool) -> ExitCode:
    from cli.queries.stack_verification.results import Verification, exit_code
    from cli.queries.stack_verification.run import served_clusters
    from cli.views.stack_checks import stack_checks_view

    began = monotonic()
    clusters = served_clusters(dependencies, named)

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


def _drill(options: GlobalOptions, given: tuple[str, str, str], dependencies: Dependencies, yes: bool) -> ExitCode:
    from cli.interactive.drill import IMAGE, NAME, NAMESPACE, Drill, DrillOptions
    from cli.views.stack_drill import drill_view
    from lambdas.domain.snapshot.bindings import role_arn_problem

    cluster, role, image = given
    if problem := role_arn_problem(role, dependencies.environment.partition):
        subject = f"system:serviceaccount:{NAMESPACE}:{NAME}"
        raise CommandError(f"--role {problem}", next_step=f"give the ARN of a role whose trust policy admits {subject}")
    drill_options = DrillOptions(cluster=cluster, role_arn=role, image=image or IMAGE)
    _require_consent(drill_options, dependencies, yes)
    with progress("drill") as spinner:
        drill = Drill(drill_options, dependencies, monotonic, spinner.update if spinner else lambda _: None)
        drill.run()
    code = ExitCode.BROKEN if drill.failure else ExitCode.OK
    document = {
        "command": "verify",
        "exitCode": code,
        "account": dependencies.environment.account,
        "region": dependencies.environment.region,
        "cluster": cluster,
        "serviceAccount": {"namespace": NAMESPACE, "name": NAME},
        "roleArn": role,
        "legs": [{"name": leg.name, "shows": leg.shows, "seconds": leg.seconds, "note": leg.note or None} for leg in drill.legs],
        "failure": drill.failure or None,
    }
    write(options.output, document, *drill_view(drill.legs, drill.failure))
    return code


def _require_consent(drill_options: DrillOptions, dependencies: Dependencies, yes: bool) -> None:
    """Ask with account, region and cluster by name.

    Raises:
        CommandError: the person did not agree, or no one can be asked.
    """
    from cli.interactive.drill import NAMESPACE

    environment = dependencies.environment
    place = f"cluster {drill_options.cluster} of account {environment.account} in {environment.region}"
    if yes:
        return
    if not is_interactive():
        raise CommandError("standard input is not a terminal, so no one can agree to the drill", next_step="give --yes")
    prompt = error_console()
    prompt.print(f"The drill in {place}")
    prompt.print(f"- creates namespace {NAMESPACE} with a ServiceAccount, a Deployment of one pod, and the Roles of the functions")
    prompt.print(f"- writes the parameter {drill_options.binding}, and extends installed admission policies by this ServiceAccount")
    prompt.print("- removes the annotation of this ServiceAccount, and waits for the deployed stack to repair it: 15 minutes at most")
    prompt.print("- deletes all of it, and restores the policies. It sends the messages of a repair.")
    if not confirm("Begin?"):
        raise CommandError("the drill was not begun")


def _clean_up(options: GlobalOptions, cluster: str, dependencies: Dependencies) -> ExitCode:
    from rich.text import Text

    from cli.interactive.drill import clean_up_leftovers

    with progress("cleaning up"):
        removed = clean_up_leftovers(cluster, dependencies)
    document = {
        "command": "verify",
        "exitCode": ExitCode.OK,
        "account": dependencies.environment.account,
        "region": dependencies.environment.region,
        "cluster": cluster,
        "removed": removed,
    }
    write(options.output, document, Text(f"Deleted: {', '.join(removed)}." if removed else "No drill has left anything."))
    return ExitCode.OK
