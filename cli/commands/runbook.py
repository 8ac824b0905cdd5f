"""`irsa-remediator runbook`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import Format, progress, write, write_message, write_page

if TYPE_CHECKING:
    from lambdas.contract.parameters import ServiceAccountRef


def runbook(
    options: GlobalOptions,
    *,
    subject: Annotated[
        str, typer.Argument(metavar="INCIDENT|VERDICT", help="Incident id, a prefix of it, or a verdict.", show_default=False)
    ],
) -> int:
    """Print the runbook of an incident with its names filled in, or that of a verdict.

    A verdict needs no AWS access. The runbook is that of the installed release.

    Example: irsa-remediator runbook 7f3a9c21
    """
    from cli.queries import runbooks
    from lambdas.domain.diagnosis.verdict import Verdict

    is_verdict = subject in list(Verdict)
    verdict, target, values = (subject, None, {}) if is_verdict else _incident(options, subject)
    text, unset = runbooks.filled(runbooks.runbook(verdict), values)
    if options.output is Format.TABLE:
        write_page(text)
        if unset:
            write_message(f"Set before you copy: {', '.join(unset)}.")
        return ExitCode.OK
    document = {
        "command": "runbook",
        "exitCode": ExitCode.OK,
        "verdict": verdict,
        "cluster": target.cluster if target else None,
        "serviceAccount": {"namespace": target.namespace, "name": target.name} if target else None,
        "unset": unset,
        "text": text,
    }
    write(options.output, document)
    return ExitCode.OK


def _incident(options: GlobalOptions, prefix: str) -> tuple[str, ServiceAccountRef, dict[str, str]]:
    """Return verdict, ServiceAccount and variables of an incident. An open one has its present verdict."""
    from cli.clients import connection
    from cli.queries import runbooks
    from cli.queries.assessment import assess_target
    from cli.queries.incidents import find_incident
    from lambdas.domain.incidents.incident import Incident

    dependencies = connection.connect(options)
    with progress("reading the incident"):
        incident = find_incident(prefix, dependencies)
        if not isinstance(incident, Incident):
            return str(incident.verdict), incident.target, runbooks.variables(incident.target, dependencies.environment)
        assessment = assess_target(incident.target, dependencies)
    if assessment.summary is None:
        raise CommandError(f"{incident.target.key} could not be assessed: {assessment.failure}", next_step="name the verdict instead")
    return assessment.summary.verdict.value, incident.target, runbooks.variables(incident.target, dependencies.environment)
