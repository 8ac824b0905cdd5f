"""Links 11 and 12: what people notice. Errors that the plug-in reports, and nodes that are not Ready."""

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lambdas.contract.names import CNI_ADDON
from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, State, broken, not_applicable, ok, unknown
from lambdas.domain.diagnosis.links.addon_record import permission_issues
from lambdas.domain.diagnosis.links.annotation import oldest_first, severity_now, stale_pods
from lambdas.domain.diagnosis.links.identity import audience, lacks, needed, provider_arn, role_name, trust_link
from lambdas.domain.diagnosis.node_readiness import NodeCause, cause, starting, unwell_otherwise, waiting_for_cni
from lambdas.domain.diagnosis.permissions import calls_named
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.plurals import many, share
from lambdas.domain.snapshot.node_reachability import reachable
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Binding,
    ClusterFacts,
    NodeFacts,
    NotRead,
    Observation,
    PluginError,
    PodFacts,
    Unknown,
)

_OF_STS: Final = re.compile(r"\bsts[.-][a-z0-9.-]*amazonaws|AssumeRoleWithWebIdentity|WebIdentityErr")
"""In a container's last words: the call that failed was the one for credentials. A time-out of another call is another fault's,
above all the API server's, which aws-node asks first.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/docs/troubleshooting.md
"""
_NO_ANSWER: Final = re.compile(
    r"i/o timeout|dial tcp|context deadline exceeded|no such host|request send failed|RequestError|connection re"
)
_REFUSED: Final = re.compile(r"\b(AccessDenied|InvalidIdentityToken)\b")
"""STS answers, and says no.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
"""


def current_errors(seen: Observation) -> tuple[PluginError, ...]:
    """Errors reported by pods within reach, since those pods were created, newest first. Others belong to the past."""
    if not isinstance(seen.permission_errors, tuple) or not isinstance(seen.pods, tuple):
        return ()
    born = {pod.name: pod.created_at for pod in reachable(seen)}
    current = (error for error in seen.permission_errors if error.pod in born and error.at >= born[error.pod])
    return tuple(sorted(sorted(current, key=lambda error: (error.pod, error.call)), key=lambda error: error.at, reverse=True))


def permission_errors_link(seen: Observation) -> Finding:
    """Link 11: the plug-in reports no permission error. From a pod that carries the role, one proves that the role lacks something."""
    told_by_eks = _told_by_eks(seen)
    match seen.permission_errors:
        case NotRead():
            return told_by_eks or not_applicable(Link.PERMISSION_ERRORS, "not read: nothing asked for it")
        case Unknown(reason):
            return told_by_eks or unknown(Link.PERMISSION_ERRORS, reason)
    errors = current_errors(seen)
    if not errors:
        return told_by_eks or _sts_refuses(seen) or _sts_unreachable(seen) or _silent(seen)
    stale = {pod.name for pod in stale_pods(seen)}
    with_role = tuple(error for error in errors if error.pod not in stale)
    calls = tuple(dict.fromkeys(error.call for error in with_role or errors))
    if with_role and seen.desired_role:
        return lacks(seen, calls, Link.PERMISSION_ERRORS)
    pods = len({error.pod for error in errors})
    return broken(
        Link.PERMISSION_ERRORS,
        Verdict.PERMISSIONS_MISSING,
        f"{many(pods, 'pod reports that it', 'pods report that they')} may not call {', '.join(calls[:3])}.",
        *(Evidence(f"Pod {error.pod}", "MissingIAMPermissions", error.call, error.at) for error in errors[:3]),
    )


def _silent(seen: Observation) -> Finding:
    """Nobody complains: which tells something only where somebody would."""
    if seen.addon_name != CNI_ADDON:
        return not_applicable(Link.PERMISSION_ERRORS, "no workload but the CNI reports calls that were refused")
    return ok(Link.PERMISSION_ERRORS, "none since the pods were created")


HEALTH_LAG: Final = timedelta(minutes=15)
"""How long pods must have carried the role before an add-on's health is held against it: EKS looks at it now and then, not at once."""


def _told_by_eks(seen: Observation) -> Finding | None:
    """What the add-on's health says of permissions, where the role is in force: pods without it would explain it otherwise."""
    if not isinstance(seen.addon, AddonFacts) or not isinstance(seen.binding, Binding) or stale_pods(seen):
        return None
    issues = permission_issues(seen.addon)
    if not issues or not any(seen.began_at - pod.created_at >= HEALTH_LAG for pod in reachable(seen)):
        return None
    found = lacks(seen, calls_named(issues[0].message) or needed(seen), Link.PERMISSION_ERRORS)
    told = Evidence(f"add-on {seen.addon.name}", issues[0].code, issues[0].message[:300])
    return replace(
        found,
        sentence=f"EKS reports that the {seen.addon.name} add-on lacks permissions: {issues[0].code}: {issues[0].message[:200]}",
        evidence=(told,),
        severity=severity_now(seen),
    )


def nodes_link(seen: Observation) -> Finding:
    """Link 12: nodes are Ready, or not for a cause that is named. A node that has just joined is given the settings' grace."""
    match seen.nodes:
        case NotRead():
            return not_applicable(Link.NODES, "not read: nothing asked for it")
        case Unknown(reason):
            return unknown(Link.NODES, reason)
    if seen.addon_name != CNI_ADDON:
        return not_applicable(Link.NODES, "this workload does not make nodes Ready")
    grace = seen.settings.node_grace_s
    total, late = len(seen.nodes), tuple(node for node in seen.nodes if not node.ready and not starting(node, seen.began_at, grace))
    if not late:
        joining, silent = (sum(node.ready is state for node in seen.nodes) for state in (False, None))
        besides = f", {joining} just starting" if joining else ""
        besides += f", {silent} without a sign of life for a moment" if silent else ""
        return ok(Link.NODES, f"{total - joining - silent} of {total} Ready{besides}")
    return _waiting(total, waiting) if (waiting := waiting_for_cni(late)) else _unwell(total, unwell_otherwise(late))


def _waiting(total: int, nodes: tuple[NodeFacts, ...]) -> Finding:
    sentence = f"{share(len(nodes), total, 'node', 'waits', 'wait')} for the CNI."
    return broken(Link.NODES, Verdict.NODES_UNWELL_OTHERWISE, sentence, *map(_evidence, nodes[:3]))


def _unwell(total: int, nodes: tuple[NodeFacts, ...]) -> Finding:
    causes = Counter(cause(node) or NodeCause.OTHER for node in nodes)
    most_first = sorted(causes.items(), key=lambda it: (-it[1], it[0].value))
    words = "; ".join(f"{count}: {it.value}" for it, count in most_first) if len(nodes) > 1 else most_first[0][0].value
    return broken(
        Link.NODES,
        Verdict.NODES_UNWELL_OTHERWISE,
        f"{share(len(nodes), total, 'node', 'is', 'are')} NotReady for another reason than the CNI's identity ({words}).",
        *map(_evidence, nodes[:3]),
        severity=Severity.WARNING,
        remedy=tuple(f"{node.name}: {node.reason}: {node.message[:200]}" for node in nodes[:3]),
    )


def _evidence(node: NodeFacts) -> Evidence:
    return Evidence(f"Node {node.name}", f"Ready ({node.reason})", node.message[:300], node.since)


def unwell_pods(seen: Observation) -> tuple[PodFacts, ...]:
    """Pods within reach that are not ready though they should be."""
    return tuple(pod for pod in reachable(seen) if not pod.ready)


def _about_sts(seen: Observation) -> tuple[PodFacts, ...]:
    """Pods that carry the role, do not run, and ended over the call for credentials."""
    wanted = seen.desired_role
    mine = (pod for pod in unwell_pods(seen) if pod.role_arn is not None and wanted in (None, pod.role_arn))
    return tuple(pod for pod in mine if _OF_STS.search(pod.last_words))


def _sts_unreachable(seen: Observation) -> Finding | None:
    """Pods that carry the role, are refused nothing, and yet end without an answer on their way to STS."""
    pods = tuple(pod for pod in oldest_first(_about_sts(seen)) if _NO_ANSWER.search(pod.last_words) and not _REFUSED.search(pod.last_words))
    if not pods:
        return None
    region = seen.cluster.arn.split(":")[3] if isinstance(seen.cluster, ClusterFacts) else "<region>"
    return broken(
        Link.PERMISSION_ERRORS,
        Verdict.STS_UNREACHABLE,
        f"{many(len(pods), 'pod carries', 'pods carry')} the right role but cannot reach STS to use it.",
        *map(_last_words, pods[:3]),
        remedy=(f"give the nodes' subnets a route to STS: an interface endpoint com.amazonaws.{region}.sts, or a NAT gateway",),
    )


def _sts_refuses(seen: Observation) -> Finding | None:
    """Pods that carry the role, and are refused it by STS itself: the last word on provider and trust, also where we cannot read them."""
    refused = {pod: found[1] for pod in oldest_first(_about_sts(seen)) if (found := _REFUSED.search(pod.last_words))}
    if not refused:
        return None
    said = max(refused.values())  # of both, the token comes first: without a provider no trust policy is asked
    pods, token = [pod for pod, it in refused.items() if it == said], said == "InvalidIdentityToken"
    what = "takes the token for no one's" if token else "does not let them have the role"
    return broken(
        Link.PERMISSION_ERRORS,
        Verdict.OIDC_PROVIDER_MISSING if token else Verdict.TRUST_CONDITION_WRONG,
        f"{many(len(pods), 'pod carries', 'pods carry')} the role, and STS {what}: {said}.",
        *map(_last_words, pods[:3]),
        remedy=(_where_to_look(seen, pods[0].role_arn or "", token=token),),
    )


def _where_to_look(seen: Observation, role: str, *, token: bool) -> str:
    account, issuer = ":".join(role.split(":")[4:5]), (provider_arn(seen) or "").partition("oidc-provider/")[2]
    if token:
        return f"see that the role's account {account} has an OIDC provider for https://{issuer} with the client id {audience(seen)}"
    if trust_link(seen).state is State.OK:
        return f"the trust policy of {role_name(role)} lets them in: look for a resource control policy of the organisation that denies it"
    return f"let {seen.target.subject} of {issuer} in, in the trust policy of {role_name(role)} of account {account}"


def _last_words(pod: PodFacts) -> Evidence:
    return Evidence(f"Pod {pod.name}", "last termination", pod.last_words[:300])
