"""`irsa-remediator plan`."""

from cli.commands.check import AllClusters, ClusterNames, Clusters, ServiceAccount
from cli.errors import worst
from cli.options import GlobalOptions
from cli.output import Format, write


def plan(
    options: GlobalOptions,
    *,
    clusters: ClusterNames = None,
    cluster: Clusters = [],  # noqa: B006  # typer copies it
    all_clusters: AllClusters = False,
    service_account: ServiceAccount = "",
) -> int:
    """Show what a repair would change, and which actions are blocked.

    Read-only. Exit codes are those of check.

    Example: irsa-remediator plan --cluster prod-blue
    """
    from cli.clients import connection
    from cli.queries.assessment import assess_targets
    from cli.queries.targets import TargetSelection
    from cli.views.documents import assessment_document, plan_document

    selection = TargetSelection(clusters=(*(clusters or ()), *cluster), all_clusters=all_clusters, service_account=service_account)
    assessments = assess_targets(selection, connection.connect(options))
    code = worst(assessment.exit_code for assessment in assessments)
    plans = [
        assessment_document(assessment) | {"plan": plan_document(assessment.summary) if assessment.summary else None}
        for assessment in assessments
    ]
    document = {"command": "plan", "exitCode": code, "plans": plans}
    if options.output is not Format.TABLE:
        write(options.output, document)
        return code
    from cli.views.plan_steps import next_command, plan_view

    next_commands = [next_command(assessment) for assessment in assessments if assessment.summary and not assessment.summary.is_healthy]
    write(options.output, document, *map(plan_view, assessments), *next_commands)
    return code
