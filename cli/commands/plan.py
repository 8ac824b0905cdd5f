"""`irsa-remediator plan`."""

from itertools import islice
from typing import Final

from cli.commands.check import AllClusters, ClusterNames, Clusters, Only, ServiceAccount
from cli.errors import worst
from cli.options import GlobalOptions
from cli.output import Format, write

MOST_COMMANDS: Final = 5
"""Next commands below the table of all clusters: the worst ones."""


def plan(
    options: GlobalOptions,
    *,
    clusters: ClusterNames = None,
    cluster: Clusters = [],  # noqa: B006  # typer copies it
    all_clusters: AllClusters = False,
    service_account: ServiceAccount = "",
    only: Only = [],  # noqa: B006
) -> int:
    """Show what a repair would change, and which actions are blocked.

    Read-only. Exit codes are those of check.

    Example: irsa-remediator plan --cluster prod-blue
    """
    from cli.clients import connection
    from cli.queries.fleet import assess_members
    from cli.queries.fleet_member import listed_members
    from cli.queries.targets import TargetSelection
    from cli.views.documents import member_document, plan_of, summary_document

    selection = TargetSelection(clusters=(*(clusters or ()), *cluster), all_clusters=all_clusters, service_account=service_account)
    members = assess_members(selection, connection.connect(options))
    code = worst(member.assessment.exit_code for member in members)
    listed = listed_members(members, only, with_sound=not all_clusters)
    plans = [member_document(member) | {"plan": plan_of(member.assessment)} for member in (listed if only else members)]
    document = {"command": "plan", "exitCode": code, "summary": summary_document(members), "plans": plans}
    if options.output is not Format.TABLE:
        write(options.output, document)
        return code
    from cli.views.fleet_table import final_count, member_count, plan_table, summary_lines, unlisted_hint
    from cli.views.plan_steps import next_command, plan_view

    planned = [member.assessment for member in listed if member.assessment.summary and not member.assessment.summary.is_healthy]
    next_commands = map(next_command, planned)
    if all_clusters:
        table = [plan_table(listed)] if listed else []
        ending = *islice(next_commands, MOST_COMMANDS), *final_count(member_count(members), len(listed))
        write(options.output, document, *summary_lines(members), *table, *unlisted_hint(members, listed), "", *ending)
    else:
        write(options.output, document, *(plan_view(member.assessment) for member in listed), *next_commands)
    return code
