"""Says what an upgrade would do to the role of aws-node in a living cluster. Pure: an observation in, an answer out."""

from collections.abc import Iterator, Sequence
from typing import Final

from lambdas.contract.names import ROLE_ANNOTATION
from lambdas.domain.diagnosis.finding import GUARDS, READABLE_GUARDS, Finding, Link, State
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.cluster import uses_pod_identity
from lambdas.domain.diagnosis.links.identity import provider_arn
from lambdas.domain.diagnosis.verdict import Verdict
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
from preflight.cluster.calls import calls, without
from preflight.cluster.upgrade import ClusterAnswer, Roles, Upgrade, Versions
from preflight.concern import Concern, in_order
from preflight.rules import Rule, declared, living

_ESSENTIAL: Final = (Link.MECHANISM, *READABLE_GUARDS, Link.ADDON_RECORD, Link.ANNOTATION)
"""Links without which nobody can say whether the role would be kept."""


def kubernetes_after(seen: Snapshot, asked: Upgrade) -> str:
    """The Kubernetes version that the cluster has after the upgrade; "" where it cannot be told."""
    now = seen.cluster.version if isinstance(seen.cluster, ClusterFacts) else ""
    return asked.kubernetes_version or now


def assess(seen: Snapshot, found: Diagnosis, asked: Upgrade, offered: tuple[OfferedVersion, ...] | Unknown) -> ClusterAnswer:
    """Say what the upgrade would do to the role of aws-node.

    Args:
        offered: what EKS offers of the add-on for the Kubernetes version after the upgrade.
    """
    cluster = seen.cluster if isinstance(seen.cluster, ClusterFacts) else None
    addon = seen.addon if isinstance(seen.addon, AddonFacts) else None
    versions = Versions(asked=asked, kubernetes=cluster.version if cluster else "", addon=addon.version if addon else "", offered=offered)
    roles = _roles(seen)
    region = cluster.arn.split(":")[3] if cluster else ""
    possible = versions.next_step == versions.kubernetes_wanted
    return ClusterAnswer(
        cluster=seen.target.cluster,
        provider_arn=provider_arn(seen) or "",
        region=region,
        kubernetes=versions.kubernetes,
        kubernetes_wanted=asked.kubernetes_version,
        addon=versions.addon,
        addon_wanted=versions.wanted if addon else "",
        addon_default=versions.default,
        record_role=roles.record,
        annotation=roles.annotation,
        binding=roles.binding,
        links=found.findings,
        calls=tuple(calls(seen.target.cluster, region, versions, roles, has_addon=addon is not None)) if region and possible else (),
        without=without(roles) if addon and possible else "",
        concerns=in_order([*_of_record(seen, found, roles), *_of_chain(found), *_of_versions(versions, addon), *_of_nodes(seen)]),
    )


def _roles(seen: Snapshot) -> Roles:
    account = seen.service_account
    associations = seen.associations if isinstance(seen.associations, tuple) else ()
    return Roles(
        record=(seen.addon.role_arn or "") if isinstance(seen.addon, AddonFacts) else "",
        annotation=account.role_annotations.get(ROLE_ANNOTATION, "") if isinstance(account, ServiceAccountFacts) else "",
        binding=seen.binding.role_arn if isinstance(seen.binding, Binding) else "",
        association=associations[0].role_arn if associations else "",
    )


# --- what there is to say


def _of_record(seen: Snapshot, found: Diagnosis, roles: Roles) -> Iterator[Concern]:
    if not isinstance(seen.cluster, ClusterFacts):
        return
    if uses_pod_identity(seen):
        yield _concern(declared.POD_IDENTITY, "association", f"A pod identity association gives aws-node {roles.association}.")
    elif isinstance(seen.addon, Missing):
        yield from _unmanaged(found, roles)
    elif isinstance(seen.addon, AddonFacts):
        yield from _compared(seen.addon, roles)


def _unmanaged(found: Diagnosis, roles: Roles) -> Iterator[Concern]:
    if found.verdict is Verdict.NOT_APPLICABLE:
        yield _concern(declared.ADDON_ABSENT, "add-on", "Nothing runs under kube-system/aws-node here, so an upgrade takes nothing away.")
    elif roles.wanted:
        message = "There is no vpc-cni add-on record; an update keeps the annotation only if whoever installs aws-node writes it."
        yield _concern(living.NO_RECORD, "add-on", message)
    else:
        yield _concern(living.NO_ROLE, "add-on", "There is no vpc-cni add-on record, and aws-node has no role.")


def _compared(addon: AddonFacts, roles: Roles) -> Iterator[Concern]:
    named = f"the binding names {roles.binding}" if roles.binding else f"the annotation names {roles.annotation}"
    if not roles.wanted:
        yield _concern(living.NO_ROLE, "add-on record", "Neither record, annotation nor binding names a role.")
    elif not roles.record:
        message = f"The record of {addon.name} {addon.version} holds no role; {named}."
        yield _concern(living.RECORD_WITHOUT_ROLE, "add-on record", message)
    elif roles.record != roles.wanted:
        message = f"The record of {addon.name} {addon.version} holds {roles.record}, {named}: the next update puts the record's back."
        yield _concern(living.RECORD_DIFFERS, "add-on record", message)


def _of_chain(found: Diagnosis) -> Iterator[Concern]:
    for finding in found.findings:
        if finding.state is State.UNKNOWN and finding.link in _ESSENTIAL:
            yield _concern(living.CHAIN_UNREAD, finding.link.title, finding.sentence)
        elif finding.broken and finding.verdict is not Verdict.ADDON_ROLE_MISSING:  # the record is compared above
            yield _concern(_rule_of(finding), finding.link.title, finding.sentence, add=finding.remedy)


def _rule_of(finding: Finding) -> Rule:
    if finding.verdict is Verdict.UPDATE_IN_PROGRESS:
        return living.BUSY
    if finding.link is Link.CLUSTER or finding.verdict is Verdict.CLUSTER_YOUNG:
        return living.CHAIN_UNREAD
    return living.CHAIN_BROKEN if finding.link in (Link.MECHANISM, *GUARDS) else living.CHAIN_UNWELL


def _of_versions(versions: Versions, addon: AddonFacts | None) -> Iterator[Concern]:
    if addon is None:
        return
    after, asked = versions.kubernetes_wanted, versions.asked.addon_version
    if versions.next_step != after:
        message = f"The cluster runs Kubernetes {versions.kubernetes}, and EKS takes it to {versions.next_step} next, not to {after}."
        yield _concern(living.KUBERNETES_REFUSED, "versions", message)
    elif isinstance(versions.offered, Unknown):
        yield _concern(living.VERSIONS_UNREAD, "versions", versions.offered.reason)
    elif not versions.offered:
        message = f"EKS offers no version of {addon.name} for Kubernetes {after}: is there such a Kubernetes version?"
        yield _concern(living.VERSION_NOT_OFFERED, "versions", message)
    elif asked and not versions.offers(asked):
        message = f"EKS does not offer {addon.name} {asked} for Kubernetes {after}; it offers {_some(versions.offered)}."
        yield _concern(living.VERSION_NOT_OFFERED, "versions", message)
    elif not asked and not versions.offers(addon.version):
        message = f"{addon.name} {addon.version} is not offered for Kubernetes {after}; the default is {versions.default or 'none'}."
        yield _concern(living.VERSION_OUTGROWN, "versions", message)


def _some(offered: Sequence[OfferedVersion], most: int = 5) -> str:
    named = [f"{item.version} (default)" if item.default else item.version for item in offered]
    return ", ".join(named[:most]) + (f" and {len(named) - most} more" if len(named) > most else "")


def _of_nodes(seen: Snapshot) -> Iterator[Concern]:
    if isinstance(seen.nodes, tuple) and (windows := [node.name for node in seen.nodes if node.os == "windows"]):
        message = f"{windows[0]} runs Windows: whatever role aws-node has, AmazonEKS_CNI_Policy stays on its node role."
        yield _concern(living.WINDOWS_NODES, "nodes", message)


def _concern(rule: Rule, resource: str, message: str, *, add: tuple[str, ...] = ()) -> Concern:
    return Concern(rule=rule, resource=resource, message=message, add=add)
