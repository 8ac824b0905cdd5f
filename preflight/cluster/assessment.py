"""Reports what an upgrade would do to the role of aws-node in a running cluster. Pure: a snapshot in, a report out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lambdas.contract.call_needs import Effect
from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.domain.diagnosis.call_needs import ReleaseNeeds, lacking
from lambdas.domain.diagnosis.finding import PRECONDITIONS, READABLE_PRECONDITIONS, Link, State
from lambdas.domain.diagnosis.finding import Finding as LinkFinding
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.identity import role_name
from lambdas.domain.diagnosis.pod_credentials import uses_pod_identity
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import needs_of_version, release_warning
from lambdas.domain.snapshot.simulation import allowed_by
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Binding,
    ClusterFacts,
    Missing,
    OfferedVersion,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
)
from lambdas.domain.snapshot.web_identity import provider_arn
from preflight import rules
from preflight.cluster.upgrade import ClusterReport, Roles, Upgrade, Versions
from preflight.cluster.upgrade_commands import effect_without_role, upgrade_commands
from preflight.finding import Finding, by_severity
from preflight.rules import Rule

_ESSENTIAL: Final = (Link.MECHANISM, *READABLE_PRECONDITIONS, Link.ADDON_RECORD, Link.ANNOTATION)
"""Links that must be known to decide whether the role remains in effect."""


def kubernetes_after(snapshot: Snapshot, upgrade: Upgrade) -> str:
    """Return the Kubernetes version of the cluster after the upgrade; "" where it is not known."""
    now = snapshot.cluster.version if isinstance(snapshot.cluster, ClusterFacts) else ""
    return upgrade.kubernetes_version or now


def assess(snapshot: Snapshot, diagnosis: Diagnosis, upgrade: Upgrade, offered: tuple[OfferedVersion, ...] | Unknown) -> ClusterReport:
    """Return the report on what the upgrade would do to the role of aws-node.

    Args:
        offered: the add-on versions that EKS offers for the Kubernetes version after the upgrade.
    """
    cluster = snapshot.cluster if isinstance(snapshot.cluster, ClusterFacts) else None
    addon = snapshot.addon if isinstance(snapshot.addon, AddonFacts) else None
    versions = Versions(
        upgrade=upgrade, kubernetes=cluster.version if cluster else "", addon=addon.version if addon else "", offered=offered
    )
    roles = _roles(snapshot)
    region = cluster.arn.split(":")[3] if cluster else ""
    possible = versions.next_step == versions.kubernetes_target
    return ClusterReport(
        cluster=snapshot.target.cluster,
        provider_arn=provider_arn(snapshot) or "",
        region=region,
        kubernetes=versions.kubernetes,
        kubernetes_target=upgrade.kubernetes_version,
        addon=versions.addon,
        addon_target=versions.addon_target if addon else "",
        addon_default=versions.default,
        record_role=roles.record,
        annotation=roles.annotation,
        binding=roles.binding,
        links=diagnosis.findings,
        commands=tuple(upgrade_commands(snapshot.target.cluster, region, versions, roles, has_addon=addon is not None))
        if region and possible
        else (),
        without_role=effect_without_role(roles) if addon and possible else "",
        findings=by_severity(
            [
                *_of_record(snapshot, diagnosis, roles),
                *_of_chain(diagnosis),
                *_of_versions(versions, addon),
                *_of_release(snapshot, versions),
                *_of_nodes(snapshot),
            ]
        ),
    )


def _roles(snapshot: Snapshot) -> Roles:
    account = snapshot.service_account
    associations = snapshot.associations if isinstance(snapshot.associations, tuple) else ()
    return Roles(
        record=(snapshot.addon.role_arn or "") if isinstance(snapshot.addon, AddonFacts) else "",
        annotation=account.role_annotations.get(ROLE_ANNOTATION, "") if isinstance(account, ServiceAccountFacts) else "",
        binding=snapshot.binding.role_arn if isinstance(snapshot.binding, Binding) else "",
        association=associations[0].role_arn if associations else "",
    )


# --- findings


def _of_record(snapshot: Snapshot, diagnosis: Diagnosis, roles: Roles) -> Iterator[Finding]:
    if not isinstance(snapshot.cluster, ClusterFacts):
        return
    if uses_pod_identity(snapshot):
        yield _finding(rules.POD_IDENTITY, "association", f"A pod identity association gives aws-node {roles.association}.")
    elif isinstance(snapshot.addon, Missing):
        yield from _unmanaged(diagnosis, roles)
    elif isinstance(snapshot.addon, AddonFacts):
        yield from _compared(snapshot.addon, roles)


def _unmanaged(diagnosis: Diagnosis, roles: Roles) -> Iterator[Finding]:
    if diagnosis.verdict is Verdict.NOT_APPLICABLE:
        yield _finding(rules.ADDON_ABSENT, "add-on", "No pods run under kube-system/aws-node, so an upgrade removes no role.")
    elif roles.expected:
        message = "There is no vpc-cni add-on record; an update keeps the annotation only if the tool that installs aws-node writes it."
        yield _finding(rules.NO_RECORD, "add-on", message)
    else:
        yield _finding(rules.NO_ROLE, "add-on", "There is no vpc-cni add-on record, and aws-node has no role.")


def _compared(addon: AddonFacts, roles: Roles) -> Iterator[Finding]:
    named = f"the binding names {roles.binding}" if roles.binding else f"the annotation names {roles.annotation}"
    if not roles.expected:
        yield _finding(rules.NO_ROLE, "add-on record", "Neither record, annotation nor binding names a role.")
    elif not roles.record:
        message = f"The record of {addon.name} {addon.version} holds no role; {named}."
        yield _finding(rules.RECORD_WITHOUT_ROLE, "add-on record", message)
    elif roles.record != roles.expected:
        message = f"The record of {addon.name} {addon.version} holds {roles.record}, {named}: the next update puts the record's back."
        yield _finding(rules.RECORD_DIFFERS, "add-on record", message)


def _of_chain(diagnosis: Diagnosis) -> Iterator[Finding]:
    for finding in diagnosis.findings:
        if finding.state is State.UNKNOWN and finding.link in _ESSENTIAL:
            yield _finding(rules.CHAIN_UNREADABLE, finding.link.title, finding.sentence)
        elif finding.is_broken and finding.verdict is not Verdict.ADDON_ROLE_MISSING:  # the record is compared in _compared
            yield _finding(
                _rule_of(finding),
                finding.link.title,
                finding.sentence,
                add=tuple(line for remedy in finding.remedies for line in remedy.lines),
            )


def _rule_of(finding: LinkFinding) -> Rule:
    if finding.verdict is Verdict.UPDATE_IN_PROGRESS:
        return rules.UPDATE_IN_PROGRESS
    if finding.link is Link.CLUSTER or finding.verdict is Verdict.CLUSTER_INITIALIZING:
        return rules.CHAIN_UNREADABLE
    return rules.CHAIN_BROKEN if finding.link in (Link.MECHANISM, *PRECONDITIONS) else rules.CHAIN_DEGRADED


def _of_versions(versions: Versions, addon: AddonFacts | None) -> Iterator[Finding]:
    if addon is None:
        return
    after, requested = versions.kubernetes_target, versions.upgrade.addon_version
    if versions.next_step != after:
        message = f"The cluster runs Kubernetes {versions.kubernetes}, and EKS takes it to {versions.next_step} next, not to {after}."
        yield _finding(rules.KUBERNETES_REFUSED, "versions", message)
    elif isinstance(versions.offered, Unknown):
        yield _finding(rules.VERSIONS_UNREADABLE, "versions", versions.offered.reason)
    elif not versions.offered:
        message = f"EKS offers no version of {addon.name} for Kubernetes {after}: check that this Kubernetes version exists."
        yield _finding(rules.VERSION_NOT_OFFERED, "versions", message)
    elif requested and not versions.offers(requested):
        message = f"EKS does not offer {addon.name} {requested} for Kubernetes {after}; it offers {_some(versions.offered)}."
        yield _finding(rules.VERSION_NOT_OFFERED, "versions", message)
    elif not requested and not versions.offers(addon.version):
        message = f"{addon.name} {addon.version} is not offered for Kubernetes {after}; the default is {versions.default or 'none'}."
        yield _finding(rules.VERSION_OUTGROWN, "versions", message)


def _of_release(snapshot: Snapshot, versions: Versions) -> Iterator[Finding]:
    """Whether the role allows the calls of the version to update to, as far as they were simulated, and what is known against it."""
    target = versions.addon_target
    needs = needs_of_version(snapshot, target) if target else None
    if isinstance(needs, ReleaseNeeds) and isinstance(snapshot.simulated, Mapping):
        refused = [need.call for need in lacking(needs, allowed_by(snapshot.simulated)) if need.effect is not Effect.SURVIVED]
        if refused:
            message = f"{role_name(snapshot.desired_role or 'the role')} may not call {', '.join(refused)}, which {target} needs."
            yield _finding(rules.CALLS_MISSING, "versions", message)
    if warning := release_warning(snapshot, target):
        yield _finding(rules.RELEASE_KNOWN_BAD, "versions", f"{warning}.")


def _some(offered: Sequence[OfferedVersion], most: int = 5) -> str:
    named = [f"{item.version} (default)" if item.default else item.version for item in offered]
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")


def _of_nodes(snapshot: Snapshot) -> Iterator[Finding]:
    if isinstance(snapshot.nodes, tuple) and (windows := [node.name for node in snapshot.nodes if node.os == "windows"]):
        message = f"{windows[0]} runs Windows: its node role needs AmazonEKS_CNI_Policy, regardless of the role of aws-node."
        yield _finding(rules.WINDOWS_NODES, "nodes", message)


def _finding(rule: Rule, resource: str, message: str, *, add: tuple[str, ...] = ()) -> Finding:
    return Finding(rule=rule, resource=resource, message=message, add=add)
