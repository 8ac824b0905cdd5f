"""Result of `check --mechanisms`: ServiceAccounts with their mechanism, add-ons, and what blocks EKS Pod Identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.queries.mechanisms import PodIdentityState, role_account
from cli.views.adaptive_table import AdaptiveTable, Column
from cli.views.documents import target_document
from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON
from lambdas.domain.diagnosis.pod_credentials import CredentialSource
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.snapshot import Unknown
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from cli.queries.mechanisms import AccountMechanism, ClusterMechanisms, ClusterParts, InstalledAddon

SOURCES: Final = {
    CredentialSource.STATIC_KEYS: ("accessKeys", "access keys"),
    CredentialSource.WEB_IDENTITY: ("irsa", "IRSA"),
    CredentialSource.ASSOCIATION: ("podIdentity", "Pod Identity"),
    CredentialSource.NODE_ROLE: ("nodeRole", "node role"),
}
"""The source of a pod's credentials in documents and in the table."""
_STATES: Final = {
    PodIdentityState.IN_USE: ("in use", "green"),
    PodIdentityState.READY: ("ready", "green"),
    PodIdentityState.BLOCKED: ("blocked", "yellow"),
    PodIdentityState.UNKNOWN: ("not known", "yellow"),
}


def mechanisms_view(found: ClusterMechanisms) -> RenderableType:
    """Return header, ServiceAccounts, add-ons, and the reasons for each ServiceAccount."""
    return Group(*_parts_of_view(found))


def _parts_of_view(found: ClusterMechanisms) -> Iterator[RenderableType]:
    header = Text(plain(found.cluster), style="bold")
    parts = found.parts
    if parts:
        header.append(f" · Kubernetes {plain(parts.facts.version)} · {_agent_text(parts)}", style="not bold")
    yield header
    yield from (Text(f"? {plain(problem)}", style="yellow") for problem in found.problems)
    if parts:
        yield Text()
        yield _account_table(found) if found.accounts else Text("No ServiceAccount has a role.", style="dim")
        yield from _reason_lists(found)
        if parts.addons:
            yield Text()
            yield _addon_table(parts)
    yield Text()


def _agent_text(parts: ClusterParts) -> str:
    addon = parts.addons.get(POD_IDENTITY_AGENT_ADDON)
    record = plain(f"Pod Identity agent {addon.facts.version} {addon.facts.status}" if addon else "Pod Identity agent")
    if isinstance(parts.agents, Unknown):
        return f"{record}: pods not read"
    ready = sum(pod.ready for pod in parts.agents)
    pods = f"{ready} of {pluralize(len(parts.agents), 'pod')} ready" if parts.agents else "no pod"
    built_in = ", and built into nodes of EKS Auto Mode" if parts.facts.auto_mode else ""
    return f"{record}: {pods}{built_in}"


def _account_table(found: ClusterMechanisms) -> AdaptiveTable:
    accounts = found.accounts
    columns = [
        Column("service account and role", [_account_text(account, found) for account in accounts]),
        Column("mechanism", [Text(account.mechanism or ("none" if account.is_mechanism_read else "not read")) for account in accounts]),
        Column("pods", [Text(_pods_text(account)) for account in accounts]),
        Column("agent", [Text(_agents_text(account)) for account in accounts]),
        Column("Pod Identity", [_state_text(account) for account in accounts]),
    ]
    return AdaptiveTable((), columns)


def _account_text(account: AccountMechanism, found: ClusterMechanisms) -> Text:
    name = Text(plain(f"{account.target.namespace}/{account.target.name}"), style="bold")
    return name.append(f"\n{_role_text(account, found)}", style="not bold dim")


def _state_text(account: AccountMechanism) -> Text:
    is_faulty = account.state is PodIdentityState.IN_USE and account.obstacles
    return Text("in use, faulty", style="yellow") if is_faulty else Text(*_STATES[account.state])


def _role_text(account: AccountMechanism, found: ClusterMechanisms) -> str:
    """The role without the parts that every role of the cluster's account has."""
    own = found.parts.facts.arn.split(":")[4] if found.parts else ""
    roles = [role for role in (account.role_arn, account.target_role_arn) if role]
    texts = (role.partition(":role/")[2] if role_account(role) == own else role for role in roles)
    return plain(" → ".join(texts)) or ("no role" if account.is_mechanism_read else "not read")


def _pods_text(account: AccountMechanism) -> str:
    return "\n".join(f"{count} {SOURCES[source][1]}" for source, count in account.pods.items()) or "none"


def _agents_text(account: AccountMechanism) -> str:
    if account.nodes_with_agent is None:
        return "not read"
    return f"{account.nodes_with_agent} of {pluralize(account.nodes, 'node')}" if account.nodes else "no node"


def _reason_lists(found: ClusterMechanisms) -> Iterator[RenderableType]:
    """What blocks Pod Identity, what was not shown, and what is left over. What was not read of the cluster is in the header."""
    for account in found.accounts:
        lines = [
            *(("✗", "yellow", obstacle) for obstacle in account.obstacles),
            *(("?", "yellow", f"not shown: {unread}") for unread in account.unread if unread not in found.problems),
            *(("–", "dim", f"left over, without effect on new pods: {rest}") for rest in account.left_over),
        ]
        if lines:
            yield Text(f"\n{plain(f'{account.target.namespace}/{account.target.name}')}", style="bold")
            for mark, style, line in lines:
                table = Table.grid(padding=(0, 1, 0, 0))
                table.add_row(Text(mark, style=style), Text(plain(line), overflow="fold"))
                yield Padding(table, (0, 0, 0, 2), expand=False)


def _addon_table(parts: ClusterParts) -> AdaptiveTable:
    addons = sorted(parts.addons.values(), key=lambda item: item.facts.name)
    columns = [
        Column("add-on", [Text(plain(addon.facts.name)) for addon in addons]),
        Column("version", [Text(plain(addon.facts.version)) for addon in addons]),
        Column("takes associations for", [Text(_associable_text(addon)) for addon in addons]),
    ]
    return AdaptiveTable((), columns)


def _associable_text(addon: InstalledAddon) -> str:
    if isinstance(addon.associable, Unknown):
        return "not read"
    return plain(", ".join(sorted(addon.associable))) or "no ServiceAccount"


# --- documents ---------------------------------------------------------------------------------------------------------------------------


def mechanisms_document(found: ClusterMechanisms) -> dict[str, Any]:
    """Return the mechanisms of one cluster as JSON."""
    parts = found.parts
    return {
        "cluster": found.cluster,
        "kubernetesVersion": parts.facts.version if parts else None,
        "autoMode": parts.facts.auto_mode if parts else None,
        "agent": _agent_document(parts) if parts else None,
        "addons": [_addon_document(addon) for addon in sorted(parts.addons.values(), key=lambda item: item.facts.name)] if parts else [],
        "serviceAccounts": [_account_document(account) for account in found.accounts],
        "problems": list(found.problems),
    }


def _agent_document(parts: ClusterParts) -> dict[str, Any]:
    addon = parts.addons.get(POD_IDENTITY_AGENT_ADDON)
    pods = None if isinstance(parts.agents, Unknown) else parts.agents
    return {
        "version": addon.facts.version if addon else None,
        "status": addon.facts.status if addon else None,
        "pods": None if pods is None else len(pods),
        "podsReady": None if pods is None else sum(pod.ready for pod in pods),
    }


def _addon_document(addon: InstalledAddon) -> dict[str, Any]:
    associable = None if isinstance(addon.associable, Unknown) else sorted(addon.associable)
    return {"name": addon.facts.name, "version": addon.facts.version, "takesAssociationsFor": associable}


def _account_document(account: AccountMechanism) -> dict[str, Any]:
    return {
        **target_document(account.target),
        "mechanism": account.mechanism,
        "roleArn": account.role_arn or None,
        "targetRoleArn": account.target_role_arn or None,
        "associationOwner": account.owner or None,
        "addon": account.addon or None,
        "podIdentity": account.state,
        "pods": {key: account.pods.get(source, 0) for source, (key, _) in SOURCES.items()},
        "nodes": account.nodes,
        "nodesWithAgent": account.nodes_with_agent,
        "obstacles": list(account.obstacles),
        "notShown": list(account.unread),
        "leftOver": list(account.left_over),
    }
