"""How `access` is shown: manifests to apply, and what is granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml
from rich.table import Table
from rich.text import Text

from lambdas.contract.access import GROUPS
from lambdas.contract.aws_auth import map_roles
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from cli.grants import Point
    from cli.hearing import Source
    from lambdas.contract.environment import Function

_MARKS: Final = {
    "granted": ("✓", "green"),
    "missing": ("✗", "bold red"),
    "unknown": ("?", "yellow"),
    "on": ("✓", "green"),
    "off": ("–", "dim"),
}


def points_view(cluster: str, points: list[Point]) -> Iterator[RenderableType]:
    """One line for each point, then what to do."""
    yield _marked(points)
    wrong = [point for point in points if point.state == "missing"]
    lines = [item for item in wrong if item.what.startswith("aws-auth ")]
    count = f"{len(wrong)} of {len(points)} missing"
    if not all(item.yours for item in wrong):
        yield _command(f"{count}. ", f"irsa-remediator access --cluster {cluster} --apply", "grants them with your rights")
    elif lines:
        yield _command(
            f"{count}: the aws-auth lines, which are yours to add. ", f"irsa-remediator access --cluster {cluster}", "prints them"
        )
    elif wrong:
        yield Text(f"{count}: the network is yours to open, as each line says.", style="bold red")
    elif all(point.state == "granted" for point in points):
        yield Text("Everything is granted.", style="green")
    if unread := sum(point.state == "unknown" for point in points):
        yield Text(
            f"{unread} of {len(points)} could not be told, as each line says; --profile, --role-arn and --kubeconfig choose other rights.",
            style="yellow",
        )


def sources_view(cluster: str, heard: list[Source]) -> Iterator[RenderableType]:
    """One line for each source, under a line that says what they are."""
    if heard:
        yield Text(f"\nHow the remediator hears of {cluster}, beside what EKS and Parameter Store announce by themselves:")
        yield _marked(heard)


def _marked(lines: Iterable[Point | Source]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for line in lines:
        mark, style = _MARKS[line.state]
        table.add_row(Text(mark, style=style), plain(line.what), Text(plain(line.detail), style="dim"))
    return table


def _command(said: str, command: str, does: str) -> Text:
    return Text(said, style="bold red").append(command, style="bold default").append(f"   {does}", style="not bold dim")


def printed(cluster: str, roles: Mapping[Function, str], objects: Sequence[dict[str, Any]], *, takes_entries: bool) -> str:
    """A YAML file for `kubectl apply -f -`; how the roles get in stands in its comments, since that is not Kubernetes' to say."""
    documents = yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True)
    return "\n".join([*_comments(cluster, roles, takes_entries=takes_entries), documents.rstrip()])


def _comments(cluster: str, roles: Mapping[Function, str], *, takes_entries: bool) -> Iterator[str]:
    yield f"# What the remediator needs in cluster {cluster}. Apply it with: irsa-remediator access --cluster {cluster} --apply"
    if not roles:
        yield "# No stack is deployed here, so the roles are not known yet; their groups are"
        yield from (f"#   {group}" for group in GROUPS.values())
        return
    if takes_entries:
        yield "# Access entries, unless the stack or your Terraform makes them:"
        for function, group in GROUPS.items():
            yield f"#   aws eks create-access-entry --cluster-name {cluster} --principal-arn {roles[function]} --kubernetes-groups {group}"
        return
    yield "# This cluster takes no access entries. Add to mapRoles of the ConfigMap kube-system/aws-auth:"
    yield from (f"#   {line}" for line in map_roles(roles).splitlines())
