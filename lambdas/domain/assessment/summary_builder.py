"""Looking: the digest of what was observed, found and planned at one moment, cut to what a checkpoint and a message hold."""

from collections import Counter
from datetime import timedelta
from typing import Final

from lambdas.contract.names import CNI_ADDON, ROLE_ANNOTATION
from lambdas.domain.assessment.summary import Counts, LinkLine, Look, WithheldLine
from lambdas.domain.diagnosis.finding import Finding, Link
from lambdas.domain.diagnosis.identity_chain import Diagnosis
from lambdas.domain.diagnosis.links.annotation import last_writer, stale_pods
from lambdas.domain.diagnosis.links.symptoms import current_errors
from lambdas.domain.diagnosis.node_readiness import waiting_for_cni
from lambdas.domain.planning.plan import Plan
from lambdas.domain.snapshot.node_reachability import out_of_reach, reachable, rolled_out
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Binding,
    ClusterFacts,
    InvalidBinding,
    NodeRepair,
    Observation,
    ServiceAccountFacts,
    SupportDates,
    VersionAdvice,
)

MOST_EVIDENCE: Final = 3
MOST_WRONG_SETTINGS: Final = 10
LONGEST_POLICY: Final = 8192
"""Characters of a trust policy: twice as many as IAM takes, white space not counted.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
LONGEST_TEXT: Final = 400
"""Characters of one sentence or value in a digest: a checkpoint holds at most 256 KB, and a message far less."""
HANGING: Final = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "CrashLoopBackOff"}
)
"""Waiting reasons that no patience ends."""


def look(seen: Observation, diagnosis: Diagnosis, plan: Plan) -> Look:
    """The digest of one moment."""
    first = next(iter(diagnosis.broken), None)
    account = seen.service_account if isinstance(seen.service_account, ServiceAccountFacts) else None
    writer = last_writer(account) if account else None
    return Look(
        target=seen.target.key,
        began_at=seen.began_at.isoformat(),
        verdict=plan.verdict,
        verdicts=tuple(dict.fromkeys((str(plan.verdict), *map(str, diagnosis.verdicts)))) if diagnosis.broken else (),
        severity=diagnosis.severity,
        sentence=_cut(first.sentence if first else "Every link of the identity chain holds."),
        links=tuple(map(_line, diagnosis.findings)),
        counts=_counts(seen),
        actions=plan.actions,
        proposed=plan.proposed,
        withheld=tuple(
            WithheldLine(link=it.link, reason=it.reason, sentence=_cut(it.sentence), until=it.until.isoformat() if it.until else "")
            for it in plan.withheld
        ),
        remedies=tuple(dict.fromkeys(line[:4000] for it in diagnosis.broken for line in it.remedy)),
        wait=plan.wait or "",
        needs_approval=plan.needs_approval,
        desired_role=seen.desired_role or "",
        annotation=_cut(account.role_annotations.get(ROLE_ANNOTATION, "")) if account else "",
        binding_path=seen.binding.path if isinstance(seen.binding, Binding | InvalidBinding) else "",
        binding_version=seen.binding.version if isinstance(seen.binding, Binding) else 0,
        owner=writer.manager if writer else "",
        owner_at=writer.at.isoformat() if writer and writer.at else "",
        owner_annotated=bool(writer and writer.owns_annotation),
        actor=_actor(seen),
        cluster=_cluster(seen),
        addon=_addon(seen),
        repair_deadline=_repair_deadline(seen),
        warnings=_warnings(seen, diagnosis),
        corrected_trust=corrected if len(corrected := diagnosis[Link.TRUST].corrected) <= LONGEST_POLICY else "",
        notify_from=seen.settings.notify_from,
        timeouts={
            name: getattr(seen.settings, name) for name in ("approval_timeout_s", "proof_timeout_s", "update_timeout_s", "node_grace_s")
        },
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _line(finding: Finding) -> LinkLine:
    evidence = tuple(
        (_cut(it.subject), it.field, _cut(it.value), it.at.isoformat() if it.at else "") for it in finding.evidence[:MOST_EVIDENCE]
    )
    return LinkLine(
        link=finding.link,
        title=finding.link.title,
        state=finding.state,
        sentence=_cut(finding.sentence),
        verdict=finding.verdict or "",
        evidence=evidence,
    )


def _counts(seen: Observation) -> Counts:
    pods = seen.pods if isinstance(seen.pods, tuple) else ()
    lost = len(out_of_reach(seen))
    nodes = seen.nodes if isinstance(seen.nodes, tuple) and seen.addon_name == CNI_ADDON else ()  # no other workload makes them Ready
    stale = {pod.name for pod in stale_pods(seen)}
    errors = Counter(error.pod in stale for error in current_errors(seen))
    staying = reachable(seen)
    return Counts(
        pods=len(staying),
        pods_right=sum(pod.role_arn == seen.desired_role for pod in staying) if seen.desired_role else 0,
        pods_ready=sum(pod.ready for pod in staying),
        pods_deleting=len(pods) - len(staying) - lost,
        pods_lost=lost,
        nodes=len(nodes),
        nodes_ready=sum(node.ready is True for node in nodes),
        nodes_waiting=len(waiting_for_cni(nodes)),
        nodes_lost=sum(node.ready is None for node in nodes),
        errors_with_role=errors[False],
        errors_without_role=errors[True],
        hanging=sum(pod.waiting in HANGING and pod.role_arn == seen.desired_role for pod in staying),
        rolled_out=rolled_out(seen),
    )


def _actor(seen: Observation) -> dict[str, str]:
    if seen.actor is None:
        return {}
    at = seen.actor.at.isoformat() if seen.actor.at else ""
    return {"who": seen.actor.who[:300], "what": seen.actor.what[:300], "agent": seen.actor.agent[:200], "at": at}


def _cluster(seen: Observation) -> dict[str, str]:
    if not isinstance(seen.cluster, ClusterFacts):
        return {"name": seen.target.cluster}
    region = seen.cluster.arn.split(":")[3]
    told = {"name": seen.cluster.name, "version": seen.cluster.version, "region": region, "status": seen.cluster.status}
    if not isinstance(seen.support, SupportDates):
        return told
    dates = {"standard_until": seen.support.standard_until, "extended_until": seen.support.extended_until}
    return told | {name: it.isoformat() for name, it in dates.items() if it}


def _addon(seen: Observation) -> dict[str, str]:
    if not isinstance(seen.addon, AddonFacts):
        return {}
    advised = seen.versions if isinstance(seen.versions, VersionAdvice) else VersionAdvice(default="")
    return {
        "name": seen.addon.name,
        "version": seen.addon.version,
        "status": seen.addon.status,
        "role": seen.addon.role_arn or "",
        "default": advised.default,
        "latest": advised.latest,
    }


AUTO_REPAIR: Final = timedelta(minutes=30)
"""How long a node is unwell before EKS replaces it, where auto repair is on.

Source: https://docs.aws.amazon.com/eks/latest/userguide/node-repair.html
"""


def _repair_deadline(seen: Observation) -> str:
    """When node auto repair begins to replace nodes, ISO; empty where it does not."""
    if not isinstance(seen.node_repair, NodeRepair) or not seen.node_repair.nodegroups or not isinstance(seen.nodes, tuple):
        return ""
    watched = seen.node_repair.nodegroups
    since = [node.since for node in seen.nodes if not node.ready and node.since and node.nodegroup in watched]
    return (min(since) + AUTO_REPAIR).isoformat() if since else ""


def _warnings(seen: Observation, diagnosis: Diagnosis) -> tuple[str, ...]:
    wrong = [f"the parameter {path} must be {allowed}; its default counts" for path, allowed in sorted(seen.wrong_settings.items())]
    unread = [f"{it.link.title} could not be read: {it.sentence}" for it in diagnosis.unread]
    windows = isinstance(seen.nodes, tuple) and any(node.os == "windows" for node in seen.nodes)
    kept = ["Windows nodes use the node role: keep AmazonEKS_CNI_Policy on it"] if windows else []
    advised = [it.advice for it in diagnosis.findings if it.advice]
    return tuple(map(_cut, [*wrong[:MOST_WRONG_SETTINGS], *unread, *kept, *advised]))
