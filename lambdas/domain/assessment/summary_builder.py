"""Builds an `AssessmentSummary`, with texts cut to the size of checkpoints and messages."""

from collections import Counter
from datetime import timedelta
from typing import Final

from lambdas.contract.names import CNI_ADDON, ROLE_ANNOTATION
from lambdas.domain.assessment.summary import (
    ActorSummary,
    AddonSummary,
    AssessmentSummary,
    BlockedSummary,
    ClusterSummary,
    Counts,
    LinkSummary,
    TimeLimits,
)
from lambdas.domain.diagnosis.finding import Finding, Link, Remedy
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.addon_record import requested_version
from lambdas.domain.diagnosis.links.annotation import last_writer, stale_pods
from lambdas.domain.diagnosis.links.permissions import later_calls, unproven_calls
from lambdas.domain.diagnosis.links.refusals import unshown_refusals
from lambdas.domain.diagnosis.links.symptoms import current_errors
from lambdas.domain.diagnosis.node_readiness import waiting_for_cni
from lambdas.domain.diagnosis.pod_credentials import role_check
from lambdas.domain.diagnosis.role_clearance import REQUIRED
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import installed_version, release_warning
from lambdas.domain.planning.plan import Plan
from lambdas.domain.snapshot.node_reachability import is_rolled_out, pods_on_lost_nodes, reachable_pods
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Binding,
    ClusterFacts,
    InvalidBinding,
    NodeRepair,
    ServiceAccountFacts,
    Snapshot,
    SupportDates,
    VersionAdvice,
    WorkloadFacts,
)

MOST_EVIDENCE: Final = 3
MOST_INVALID_SETTINGS: Final = 10
LONGEST_POLICY: Final = 8192
"""Maximum number of characters of a trust policy: twice IAM's limit, which does not count white space.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
LONGEST_COMMAND: Final = 4000
LONGEST_TEXT: Final = 400
"""Maximum number of characters of a sentence or value. A checkpoint holds 256 KB, a message far less."""
NOT_STARTING: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "CrashLoopBackOff"}
)
"""Waiting reasons that waiting does not end."""


def summarize(snapshot: Snapshot, diagnosis: Diagnosis, plan: Plan) -> AssessmentSummary:
    """Summarize one assessment."""
    first = next(iter(diagnosis.broken_findings), None)
    account = snapshot.service_account if isinstance(snapshot.service_account, ServiceAccountFacts) else None
    writer = last_writer(account) if account else None
    missing = unproven_calls(snapshot)
    return AssessmentSummary(
        target=snapshot.target.key,
        began_at=snapshot.began_at.isoformat(),
        verdict=plan.verdict,
        verdicts=tuple(dict.fromkeys((str(plan.verdict), *map(str, diagnosis.verdicts)))) if diagnosis.broken_findings else (),
        severity=diagnosis.severity,
        sentence=_limit(first.sentence if first else _without_fault(diagnosis)),
        links=tuple(map(_link_summary, diagnosis.findings)),
        counts=_counts(snapshot),
        actions=plan.actions,
        proposed=plan.proposed,
        blocked=tuple(
            BlockedSummary(
                link=blocked.link,
                reason=blocked.reason,
                sentence=_limit(blocked.sentence),
                until=blocked.until.isoformat() if blocked.until else "",
            )
            for blocked in plan.blocked
        ),
        remedies=tuple(dict.fromkeys(_limit_remedy(remedy) for finding in diagnosis.broken_findings for remedy in finding.remedies)),
        wait=plan.wait or "",
        needs_approval=plan.needs_approval,
        desired_role=snapshot.desired_role or "",
        annotation=_limit(account.role_annotations.get(ROLE_ANNOTATION, "")) if account else "",
        binding_path=snapshot.binding.path if isinstance(snapshot.binding, Binding | InvalidBinding) else "",
        binding_version=snapshot.binding.version if isinstance(snapshot.binding, Binding) else 0,
        owner=writer.manager if writer else "",
        owner_at=writer.at.isoformat() if writer and writer.at else "",
        owner_annotated=bool(writer and writer.owns_annotation),
        actor=_actor(snapshot),
        cluster=_cluster(snapshot),
        addon=_addon(snapshot),
        repair_deadline=_repair_deadline(snapshot),
        unproven=diagnosis.unproven,
        unproven_calls=missing,
        later_calls=later_calls(snapshot, missing),
        refusals=tuple(map(_limit, unshown_refusals(snapshot, diagnosis.findings))),
        warnings=_warnings(snapshot, diagnosis),
        corrected_trust=corrected if len(corrected := diagnosis[Link.TRUST].corrected) <= LONGEST_POLICY else "",
        notify_from=snapshot.settings.notify_from,
        time_limits=TimeLimits(
            approval_timeout_s=snapshot.settings.approval_timeout_s,
            verification_timeout_s=snapshot.settings.verification_timeout_s,
            update_timeout_s=snapshot.settings.update_timeout_s,
            node_grace_s=snapshot.settings.node_grace_s,
        ),
    )


def _without_fault(diagnosis: Diagnosis) -> str:
    """The sentence where no link is broken, with what was not shown to hold."""
    if diagnosis.verdict is Verdict.NOT_APPLICABLE:
        return "Nothing runs under this ServiceAccount, so no role was checked."
    others = tuple(finding.link.title for finding in diagnosis.unread if finding.link not in REQUIRED)
    missing = ", ".join((*diagnosis.unproven, *others))
    if not missing:
        return "Every link of the identity chain is correct."
    if diagnosis.verdict is Verdict.POD_IDENTITY_IN_USE:
        return f"EKS Pod Identity provides the role, and no fault was found. Not checked: {missing}."
    return f"No link of the identity chain is broken. Not checked: {missing}."


def _limit(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _limit_remedy(remedy: Remedy) -> Remedy:
    """The remedy, with its parts limited. A command is left out rather than cut."""
    command = remedy.command if len(remedy.command) <= LONGEST_COMMAND else ""
    return Remedy(remedy.text[:LONGEST_COMMAND], command, remedy.diff)


def _link_summary(finding: Finding) -> LinkSummary:
    evidence = tuple(
        (_limit(item.subject), item.field, _limit(item.value), item.at.isoformat() if item.at else "")
        for item in finding.evidence[:MOST_EVIDENCE]
    )
    return LinkSummary(
        link=finding.link,
        title=finding.link.title,
        state=finding.state,
        sentence=_limit(finding.sentence),
        verdict=finding.verdict or "",
        evidence=evidence,
    )


def _counts(snapshot: Snapshot) -> Counts:
    pods = snapshot.pods if isinstance(snapshot.pods, tuple) else ()
    lost = len(pods_on_lost_nodes(snapshot))
    nodes = (
        snapshot.nodes if isinstance(snapshot.nodes, tuple) and snapshot.addon_name == CNI_ADDON else ()
    )  # no other workload makes nodes Ready
    stale = {pod.name for pod in stale_pods(snapshot)}
    errors = Counter(error.pod in stale for error in current_errors(snapshot))
    staying = reachable_pods(snapshot)
    right = list(filter(role_check(snapshot), staying))
    return Counts(
        pods=len(staying),
        pods_right=len(right),
        pods_ready=sum(pod.ready for pod in staying),
        pods_deleting=len(pods) - len(staying) - lost,
        pods_lost=lost,
        nodes=len(nodes),
        nodes_ready=sum(node.ready is True for node in nodes),
        nodes_waiting=len(waiting_for_cni(nodes)),
        nodes_lost=sum(node.ready is None for node in nodes),
        errors_with_role=errors[False],
        errors_without_role=errors[True],
        pods_not_starting=sum(pod.waiting in NOT_STARTING for pod in right),
        rolled_out=is_rolled_out(snapshot),
        pods_wanted=snapshot.workload.desired if isinstance(snapshot.workload, WorkloadFacts) else 0,
    )


def _actor(snapshot: Snapshot) -> ActorSummary | None:
    if snapshot.actor is None:
        return None
    at = snapshot.actor.at.isoformat() if snapshot.actor.at else ""
    return ActorSummary(who=snapshot.actor.who[:300], what=snapshot.actor.what[:300], agent=snapshot.actor.agent[:200], at=at)


def _cluster(snapshot: Snapshot) -> ClusterSummary:
    if not isinstance(snapshot.cluster, ClusterFacts):
        return ClusterSummary(name=snapshot.target.cluster, region=snapshot.region)
    dates = snapshot.support if isinstance(snapshot.support, SupportDates) else SupportDates(standard_until=None, extended_until=None)
    return ClusterSummary(
        name=snapshot.cluster.name,
        version=snapshot.cluster.version,
        region=snapshot.region,
        status=snapshot.cluster.status,
        standard_until=dates.standard_until.isoformat() if dates.standard_until else "",
        extended_until=dates.extended_until.isoformat() if dates.extended_until else "",
    )


def _addon(snapshot: Snapshot) -> AddonSummary | None:
    if not isinstance(snapshot.addon, AddonFacts):
        return None
    versions = snapshot.versions if isinstance(snapshot.versions, VersionAdvice) else VersionAdvice(default="")
    return AddonSummary(
        name=snapshot.addon.name,
        version=snapshot.addon.version,
        status=snapshot.addon.status,
        role=snapshot.addon.role_arn or "",
        default="" if release_warning(snapshot, versions.default) else versions.default,
        latest="" if release_warning(snapshot, versions.latest) else versions.latest,
    )


AUTO_REPAIR: Final = timedelta(minutes=30)
"""Time until EKS replaces a node that is not Ready, where auto repair is on.

Source: https://docs.aws.amazon.com/eks/latest/userguide/node-repair.html
"""


def _repair_deadline(snapshot: Snapshot) -> str:
    """ISO time at which node auto repair starts to replace nodes; empty where it does not."""
    if not isinstance(snapshot.node_repair, NodeRepair) or not snapshot.node_repair.nodegroups or not isinstance(snapshot.nodes, tuple):
        return ""
    watched = snapshot.node_repair.nodegroups
    since = [node.since for node in snapshot.nodes if not node.ready and node.since and node.nodegroup in watched]
    return (min(since) + AUTO_REPAIR).isoformat() if since else ""


def _offered(snapshot: Snapshot) -> tuple[str, ...]:
    """The versions that EKS offers as an update."""
    versions = snapshot.versions
    return (versions.default, versions.latest) if isinstance(versions, VersionAdvice) else ()


def _warnings(snapshot: Snapshot, diagnosis: Diagnosis) -> tuple[str, ...]:
    wrong = [f"the parameter {path} must be {allowed}; the default is used" for path, allowed in sorted(snapshot.invalid_settings.items())]
    windows = isinstance(snapshot.nodes, tuple) and any(node.os == "windows" for node in snapshot.nodes)
    node_role = ["Windows nodes use the node role: keep AmazonEKS_CNI_Policy on it"] if windows else []
    releases = dict.fromkeys((installed_version(snapshot), requested_version(snapshot), *_offered(snapshot)))
    bad = [text for version in releases if (text := release_warning(snapshot, version))]
    advised = [finding.advice for finding in diagnosis.findings if finding.advice]
    return tuple(map(_limit, [*wrong[:MOST_INVALID_SETTINGS], *node_role, *bad, *advised]))
