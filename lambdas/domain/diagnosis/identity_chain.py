"""Diagnoses the identity chain: a finding for every link, and the verdict of the first broken one. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, Finding, Link, State, not_applicable
from lambdas.domain.diagnosis.links.addon_record import degraded_addon, record_link
from lambdas.domain.diagnosis.links.annotation import annotation_link, identity_severity, pods_link, unclaimed
from lambdas.domain.diagnosis.links.cluster import cluster_link, mechanism_link, workload_link
from lambdas.domain.diagnosis.links.guard import UNREAD, guard_differs, role_kept
from lambdas.domain.diagnosis.links.identity import oidc_link, role_link, trust_link
from lambdas.domain.diagnosis.links.permissions import permissions_link
from lambdas.domain.diagnosis.links.pod_health import not_ready
from lambdas.domain.diagnosis.links.pod_identity import POD_IDENTITY_RULES
from lambdas.domain.diagnosis.links.symptoms import nodes_link, permission_errors_link
from lambdas.domain.diagnosis.pod_credentials import uses_pod_identity
from lambdas.domain.diagnosis.role_clearance import unproven
from lambdas.domain.diagnosis.verdict import REPAIRABLE, Verdict
from lambdas.domain.snapshot.snapshot import ClusterFacts, Snapshot, Unknown

CHAIN: Final[Mapping[Link, Callable[[Snapshot], Finding]]] = {
    Link.CLUSTER: cluster_link,
    Link.WORKLOAD: workload_link,
    Link.MECHANISM: mechanism_link,
    Link.ROLE: role_link,
    Link.OIDC_PROVIDER: oidc_link,
    Link.TRUST: trust_link,
    Link.PERMISSIONS: permissions_link,
    Link.ADDON_RECORD: record_link,
    Link.ANNOTATION: annotation_link,
    Link.PODS: pods_link,
    Link.PERMISSION_ERRORS: permission_errors_link,
    Link.NODES: nodes_link,
}


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Twelve findings in order, and the verdict of the first broken link, or why nothing is broken.

    `unproven` names what was not shown about the role.
    """

    findings: tuple[Finding, ...]
    verdict: Verdict
    severity: Severity
    unproven: tuple[str, ...] = ()

    def __getitem__(self, link: Link) -> Finding:
        return self.findings[link - 1]

    @property
    def broken_findings(self) -> tuple[Finding, ...]:
        """Broken links in the order of the chain. The first explains those after it."""
        return tuple(finding for finding in self.findings if finding.is_broken)

    @property
    def is_healthy(self) -> bool:
        """Whether no link is broken. The verdict says whether every link is shown to hold."""
        return not self.broken_findings

    @property
    def unread(self) -> tuple[Finding, ...]:
        """The links that could not be read."""
        return tuple(finding for finding in self.findings if finding.state is State.UNKNOWN)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict of each broken link once, in order."""
        return tuple(dict.fromkeys(finding.verdict for finding in self.broken_findings if finding.verdict))


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Diagnose every link of the chain."""
    first = cluster_link(snapshot)
    if first.is_broken:
        rest = tuple(_behind_cluster(link, rule, snapshot) for link, rule in CHAIN.items() if link is not Link.CLUSTER)
        return _diagnosis(snapshot, (first, *rest))
    is_applicable = workload_link(snapshot).state is not State.NOT_APPLICABLE
    findings = tuple(_finding(link, rule, snapshot, wanted=is_applicable) for link, rule in CHAIN.items())
    if not any(finding.is_broken for finding in findings) and findings[1].state is State.OK:
        degraded = degraded_addon(snapshot, partial(unproven, snapshot, findings))
        findings = tuple(degraded if degraded and finding.link is degraded.link else finding for finding in findings)
    if not any(finding.is_broken for finding in findings) and is_applicable:
        known = all(findings[link - 1].state is not State.UNKNOWN for link in READABLE_PRECONDITIONS)
        failing = not_ready(snapshot, preconditions_known=known)
        findings = tuple(failing if failing and finding.link is failing.link else finding for finding in findings)
    if not any(finding.is_broken for finding in findings):  # last, because these explain no other fault
        sole = (unclaimed(snapshot) if is_applicable else None) or guard_differs(snapshot) or role_kept(snapshot)
        findings = tuple(sole if sole and finding.link is sole.link else finding for finding in findings)
    return _diagnosis(snapshot, findings)


def _finding(link: Link, rule: Callable[[Snapshot], Finding], snapshot: Snapshot, *, wanted: bool) -> Finding:
    if link > Link.WORKLOAD and not wanted:
        return not_applicable(link, "nothing runs under this ServiceAccount")
    return (POD_IDENTITY_RULES.get(link, rule) if uses_pod_identity(snapshot) else rule)(snapshot)


def _behind_cluster(link: Link, rule: Callable[[Snapshot], Finding], snapshot: Snapshot) -> Finding:
    """A link of a cluster that cannot be read: IAM and EKS show what the role needs, whoever may read the cluster."""
    if link in READABLE_PRECONDITIONS and isinstance(snapshot.cluster, ClusterFacts) and snapshot.cluster.has_api_server:
        return _finding(link, rule, snapshot, wanted=True)
    return not_applicable(link, "not checked, since the cluster link is broken")


def _diagnosis(snapshot: Snapshot, findings: tuple[Finding, ...]) -> Diagnosis:
    broken = tuple(finding for finding in findings if finding.is_broken)
    missing = unproven(snapshot, findings)
    if not broken and isinstance(snapshot.guards, Unknown):
        missing += (UNREAD,)
    verdict = _first_verdict(broken) or _verdict_without_fault(snapshot, findings, missing)
    severities = (identity_severity(snapshot) if finding.verdict in REPAIRABLE else finding.severity for finding in broken)
    severity = max(severities, key=lambda severity: severity.rank, default=Severity.INFO)
    return Diagnosis(
        findings=tuple(finding if finding.severity.rank <= severity.rank else replace(finding, severity=severity) for finding in findings),
        verdict=verdict,
        severity=severity,
        unproven=missing,
    )


def _first_verdict(broken: tuple[Finding, ...]) -> Verdict | None:
    """The verdict of the first broken link. A health issue of the add-on comes after an identity that is lost: it does not explain that."""
    verdicts = [finding.verdict for finding in broken if finding.verdict]
    is_lost = any(finding.link in (Link.ANNOTATION, Link.PODS) and finding.verdict in REPAIRABLE for finding in broken)
    return next((verdict for verdict in verdicts if not (is_lost and verdict is Verdict.ADDON_DEGRADED)), None)


def _verdict_without_fault(snapshot: Snapshot, findings: tuple[Finding, ...], missing: tuple[str, ...]) -> Verdict:
    if findings[Link.WORKLOAD - 1].state is State.NOT_APPLICABLE:
        return Verdict.NOT_APPLICABLE
    if uses_pod_identity(snapshot):
        return Verdict.POD_IDENTITY_IN_USE
    is_shown = not missing and all(finding.state is not State.UNKNOWN for finding in findings)
    return Verdict.HEALTHY if is_shown else Verdict.NO_FAULT_FOUND
