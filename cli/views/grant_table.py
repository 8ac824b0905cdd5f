"""Result of `access`: manifests to apply, grants and trigger sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml
from rich.console import Group
from rich.text import Text

from cli.queries.admission_policies import without_patch
from cli.queries.grants import NO_PODS, GrantState
from cli.queries.trigger_sources import TriggerSourceState
from cli.views.adaptive_table import AdaptiveTable, Column
from lambdas.contract.access import GROUPS, VERIFY_ACTIONS
from lambdas.contract.aws_auth import map_roles
from lambdas.domain.aws_commands import aws_command
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from cli.queries.grants import Grant, RequiredAccess
    from cli.queries.trigger_sources import TriggerSource

_MARKS: Final = {
    GrantState.GRANTED: ("✓", "green"),
    GrantState.MISSING: ("✗", "bold red"),
    GrantState.SURPLUS: ("+", "bold red"),
    GrantState.UNKNOWN: ("?", "yellow"),
    GrantState.NOT_SUPPORTED: ("–", "yellow"),
    TriggerSourceState.ON: ("✓", "green"),
    TriggerSourceState.OFF: ("–", "dim"),
    TriggerSourceState.UNKNOWN: ("?", "yellow"),
}
NOT_CHECKED: Final = "Network reachability is not checked from here: `irsa-remediator verify` lets the functions test it (docs/network.md)."


def grants_view(cluster: str, grants: list[Grant]) -> Iterator[RenderableType]:
    """Return one line for each grant, then the next step."""
    yield _table(grants)
    missing = [grant for grant in grants if grant.state is GrantState.MISSING]
    count = f"{len(missing)} of {len(grants)} missing"
    if not all(grant.is_manual for grant in missing):
        yield _command(f"{count}. ", f"irsa-remediator access --cluster {cluster} --apply", "grants them with your rights")
    elif missing:
        yield _command(f"{count}: add the aws-auth lines yourself. ", f"irsa-remediator access --cluster {cluster}", "prints them")
    elif all(grant.state in (GrantState.GRANTED, GrantState.NOT_SUPPORTED) for grant in grants):
        yield Text("Everything is granted, and nothing beyond the need.", style="green")
    yield from _surplus_view([grant for grant in grants if grant.state is GrantState.SURPLUS], len(grants))
    if unknown := sum(grant.state is GrantState.UNKNOWN for grant in grants):
        text = f"{unknown} of {len(grants)} unknown, for the reasons above. --profile, --role-arn and --kubeconfig choose other rights."
        yield Text(text, style="yellow")
    yield Text(NOT_CHECKED, style="dim")


def _surplus_view(surplus: Sequence[Grant], total: int) -> Iterator[RenderableType]:
    if not surplus:
        return
    yield Text(f"{len(surplus)} of {total} surplus: the present configuration does not need this access. Remove it:", style="bold red")
    steps = dict.fromkeys(grant.next_step for grant in surplus)
    yield Group(*(Text(f"  {plain(step)}", style="bold", no_wrap=True, overflow="ignore") for step in steps))  # commands stay whole


def trigger_sources_view(cluster: str, sources: Sequence[TriggerSource]) -> Iterator[RenderableType]:
    """Return one line for each source, under a heading."""
    if sources:
        yield Text(f"\nTrigger sources of {cluster}, in addition to EKS and Parameter Store events:")
        yield _table(sources)


def _table(lines: Sequence[Grant | TriggerSource]) -> AdaptiveTable:
    marks = [Text(mark, style=style) for mark, style in (_MARKS[line.state] for line in lines)]
    names = Column("", [Text(plain(line.name)) for line in lines])
    return AdaptiveTable(marks, [names, Column("", [Text(plain(line.detail), style="dim") for line in lines])])


def _command(text: str, command: str, effect: str) -> Text:
    return Text(text, style="bold red").append(command, style="bold default").append(f"   {effect}", style="not bold dim")


def manifest_text(required: RequiredAccess) -> str:
    """Return a YAML file for `kubectl apply -f -`. Its comments say how the roles get access, which is configured outside Kubernetes."""
    objects = [*(required.policies.manifests if required.has_policies else ()), *required.objects]
    documents = yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True, width=10_000)
    without_workload = [f"# {name}: {NO_PODS}" for name in required.without_workload]
    return "\n".join([*_comments(required), *_policy_comments(required), *_verify_comments(), documents.rstrip(), *without_workload])


def _policy_comments(required: RequiredAccess) -> Iterator[str]:
    if not required.has_policies:
        return
    if not required.policies.omitted:
        yield "# The admission policies limit the remediator to the changes that it makes. Run this again when a binding changes."
        return
    yield f"# No admission policies limit the remediator: {plain(required.policies.omitted)}."
    if required.policies.restarts:
        yield f"# Do without the right to patch workloads: {without_patch(required.cluster)}"


def _verify_comments() -> Iterator[str]:
    """The calls of `verify`, by service: the person who runs it needs them, not the remediator."""
    yield "# A person who runs `irsa-remediator verify` needs these actions in AWS:"
    services = dict.fromkeys(action.partition(":")[0] for action in VERIFY_ACTIONS)
    for service in services:
        names = [name for action in VERIFY_ACTIONS for of, _, name in [action.partition(":")] if of == service]
        yield f"#   {service}: {', '.join(names)}"


def _comments(required: RequiredAccess) -> Iterator[str]:
    cluster = required.cluster
    yield f"# Access that the remediator needs in cluster {cluster}. Apply it with: irsa-remediator access --cluster {cluster} --apply"
    if not required.roles:
        yield "# No stack is deployed here, so the roles are unknown. Their groups are"
        yield from (f"#   {group}" for group in GROUPS.values())
        return
    if required.has_access_entries:
        yield "# Access entries, unless the stack or your Terraform creates them:"
        for function, group in GROUPS.items():
            arn = required.roles[function]
            options = f"--cluster-name {cluster} --principal-arn {arn} --kubernetes-groups {group}"
            yield f"#   {aws_command('eks create-access-entry', required.region, options)}"
        return
    yield "# This cluster does not support access entries. Add these items to mapRoles of the ConfigMap kube-system/aws-auth:"
    yield from (f"#   {line}" for line in map_roles(required.roles).splitlines())
