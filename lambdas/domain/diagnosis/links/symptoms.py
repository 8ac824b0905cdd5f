"""Links 11 and 12: symptoms. Errors that the plug-in reports, and nodes that are not Ready."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from lambdas.contract.names import CNI_ADDON
from lambdas.contract.partitions import REGION
from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.call_needs import ReleaseNeeds
from lambdas.domain.diagnosis.finding import Evidence, Finding, Link, Remedy, State, broken, not_applicable, ok, unknown
from lambdas.domain.diagnosis.links.addon_record import permission_issues
from lambdas.domain.diagnosis.links.annotation import identity_severity, sort_by_age, stale_pods
from lambdas.domain.diagnosis.links.identity import oidc_link, role_name, trust_link
from lambdas.domain.diagnosis.links.permissions import missing_permissions
from lambdas.domain.diagnosis.links.pod_health import not_created
from lambdas.domain.diagnosis.links.pod_identity import without_credentials
from lambdas.domain.diagnosis.links.refusals import event_history_note, refusal_finding, survived_refusal, verdict_of_sts
from lambdas.domain.diagnosis.node_readiness import NodeCause, cause, is_within_grace, not_ready_otherwise, waiting_for_cni
from lambdas.domain.diagnosis.permissions import calls_named
from lambdas.domain.diagnosis.pod_credentials import uses_pod_identity
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.diagnosis.workload_needs import harmful_errors, installed_version, needs, survives
from lambdas.domain.plurals import pluralize, pluralize_share
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Binding,
    NodeFacts,
    NotRead,
    PluginError,
    PodFacts,
    Snapshot,
    Unknown,
)
from lambdas.domain.snapshot.web_identity import audience, provider_arn

_OF_STS: Final = re.compile(rf"\bsts[.-][a-z0-9.-]*amazonaws|\bsts\.{REGION}\.|AssumeRoleWithWebIdentity|WebIdentityErr")
"""Matches a termination message about the call for credentials. A time-out of another call has another cause, above all the API server,
which aws-node calls first.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/docs/troubleshooting.md
"""
_NO_ANSWER: Final = re.compile(
    r"i/o timeout|dial tcp|context deadline exceeded|no such host|request send failed|RequestError|connection re"
)
_REFUSED: Final = re.compile(
    r"\b(AccessDenied|InvalidIdentityToken|ExpiredToken|IDPCommunicationError|IDPRejectedClaim|MalformedPolicyDocument"
    r"|PackedPolicyTooLarge|RegionDisabled)(?:Exception)?\b"
)
"""Matches a refusal by STS.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
"""


def current_errors(snapshot: Snapshot) -> tuple[PluginError, ...]:
    """Errors of reachable pods since their creation, newest first. Older errors do not count."""
    if not isinstance(snapshot.pods, tuple):
        return ()
    born = {pod.name: pod.created_at for pod in reachable_pods(snapshot)}
    current = (error for error in harmful_errors(snapshot) if error.pod in born and error.at >= born[error.pod])
    return tuple(sorted(sorted(current, key=lambda error: (error.pod, error.call)), key=lambda error: error.at, reverse=True))


def permission_errors_link(snapshot: Snapshot) -> Finding:
    """Link 11: the plug-in reports no permission error. An error of a pod with the role shows that the role lacks a call."""
    if refused := refusal_finding(snapshot):
        return refused
    health = _addon_health_finding(snapshot)
    match snapshot.permission_errors:
        case NotRead():
            return health or not_applicable(Link.PERMISSION_ERRORS, "not read")
        case Unknown(reason):
            return health or unknown(Link.PERMISSION_ERRORS, reason)
    errors = current_errors(snapshot)
    if not errors:
        return health or _sts_refuses(snapshot) or _sts_unreachable(snapshot) or _no_event(snapshot)
    stale = {pod.name for pod in stale_pods(snapshot)}
    with_role = tuple(error for error in errors if error.pod not in stale)
    calls = tuple(dict.fromkeys(error.call for error in with_role or errors))
    if with_role and snapshot.desired_role:
        return missing_permissions(snapshot, calls, Link.PERMISSION_ERRORS)
    pods = len({error.pod for error in errors})
    return broken(
        Link.PERMISSION_ERRORS,
        _without_role(snapshot),
        f"{pluralize(pods, 'pod reports that it', 'pods report that they')} may not call {', '.join(calls[:3])}.",
        *(Evidence(f"Pod {error.pod}", "MissingIAMPermissions", error.call, error.at) for error in errors[:3]),
    )


def _without_role(snapshot: Snapshot) -> Verdict:
    """The verdict for refused calls of pods that do not have the role: the node role lacks the calls, and the role is not tested by it."""
    if uses_pod_identity(snapshot):
        bare = without_credentials(snapshot, Severity.CRITICAL)
        return bare.verdict if bare and bare.verdict else Verdict.PERMISSIONS_MISSING
    if snapshot.desired_role:
        return Verdict.PODS_STALE
    has_role = any(pod.role_arn for pod in reachable_pods(snapshot))
    return Verdict.PERMISSIONS_MISSING if has_role else Verdict.ANNOTATION_MISSING


def _no_event(snapshot: Snapshot) -> Finding:
    """The finding without an event. No event does not mean no refusal, so the sentence names the calls whose refusal sends none."""
    if snapshot.addon_name != CNI_ADDON:
        return not_applicable(Link.PERMISSION_ERRORS, "only the CNI reports refused calls")
    found = needs(snapshot)
    unreported = found.without_event if isinstance(found, ReleaseNeeds) else ("other calls that are not known",)
    limits = "refusals of STS" + (f" and of {', '.join(unreported)}" if unreported else "")
    quiet = ok(Link.PERMISSION_ERRORS, f"no MissingIAMPermissions event since the pods were created; {limits} send none")
    return replace(quiet, advice=_survived(snapshot) or survived_refusal(snapshot) or event_history_note(snapshot))


def _survived(snapshot: Snapshot) -> str:
    """A note about reported refusals that this release does without. Empty where there are none."""
    errors = snapshot.permission_errors if isinstance(snapshot.permission_errors, tuple) else ()
    calls = sorted({error.call for error in errors} - {error.call for error in harmful_errors(snapshot)})
    if not calls:
        return ""
    return f"aws-node reports that it may not call {', '.join(calls)}; {installed_version(snapshot)} works without it"


HEALTH_LAG: Final = timedelta(minutes=15)
"""Minimum time with the role before an add-on's health counts. EKS updates the health at intervals."""


def _addon_health_finding(snapshot: Snapshot) -> Finding | None:
    """The add-on's health issue about permissions, where the role is effective. Pods without the role would explain it otherwise."""
    if not isinstance(snapshot.addon, AddonFacts) or not isinstance(snapshot.binding, Binding) or stale_pods(snapshot):
        return None
    issues = permission_issues(snapshot.addon)
    if not issues or not any(snapshot.began_at - pod.created_at >= HEALTH_LAG for pod in reachable_pods(snapshot)):
        return None
    named = calls_named(issues[0].message)
    calls = tuple(call for call in named if not survives(snapshot, call))
    if named and not calls:
        return None
    needed = needs(snapshot)
    found = missing_permissions(snapshot, calls or (needed.required if isinstance(needed, ReleaseNeeds) else ()), Link.PERMISSION_ERRORS)
    reported = Evidence(f"add-on {snapshot.addon.name}", issues[0].code, issues[0].message[:300])
    return replace(
        found,
        sentence=f"EKS reports that the {snapshot.addon.name} add-on lacks permissions: {issues[0].code}: {issues[0].message[:200]}",
        evidence=(reported,),
        severity=identity_severity(snapshot),
    )


def nodes_link(snapshot: Snapshot) -> Finding:
    """Link 12: nodes are Ready, or not Ready for a known cause. A joining node has the grace period of the settings."""
    match snapshot.nodes:
        case NotRead():
            return not_applicable(Link.NODES, "not read")
        case Unknown(reason):
            return unknown(Link.NODES, reason)
    if snapshot.addon_name != CNI_ADDON:
        return not_applicable(Link.NODES, "this workload does not make nodes Ready")
    grace = snapshot.settings.node_grace_s
    total, late = (
        len(snapshot.nodes),
        tuple(node for node in snapshot.nodes if not node.ready and not is_within_grace(node, snapshot.began_at, grace)),
    )
    if not late:
        joining, silent = (sum(node.ready is state for node in snapshot.nodes) for state in (False, None))
        besides = f", {joining} just starting" if joining else ""
        besides += f", {silent} without a recent heartbeat" if silent else ""
        return ok(Link.NODES, f"{total - joining - silent} of {total} Ready{besides}")
    waiting = waiting_for_cni(late)
    return _waiting(snapshot, total, waiting) if waiting else _not_ready(total, not_ready_otherwise(late))


NO_POD: Final = "aws-node pod"
"""The field of the evidence that a waiting node has no pod of the CNI."""
MONITORING_AGENT: Final = "EKS node monitoring agent"
"""The field of the evidence that this agent runs on a waiting node, so that it can collect the logs of the node."""


def _waiting(snapshot: Snapshot, total: int, nodes: tuple[NodeFacts, ...]) -> Finding:
    served = {pod.node or pod.intended_node for pod in snapshot.pods} if isinstance(snapshot.pods, tuple) else None
    bare = [node for node in nodes if served is not None and node.name not in served]
    sentence = f"{pluralize_share(len(nodes), total, 'node', 'waits', 'wait')} for the CNI."
    monitored = tuple(Evidence(f"Node {node.name}", MONITORING_AGENT, "runs") for node in nodes if node.is_monitored)[:1]
    evidence = (*map(_evidence, [node for node in nodes if node not in bare]), *map(_without_pod, bare))
    found = broken(Link.NODES, Verdict.NODES_WAITING_FOR_CNI, sentence, *evidence[: 3 - len(monitored)], *monitored)
    if not bare or not_created(snapshot):
        return replace(found, ends_with_identity=True)
    where = "it" if len(nodes) == 1 else f"{len(bare)} of them"
    return replace(
        found,
        sentence=f"{sentence} No aws-node pod exists on {where}.",
        ends_with_identity=len(bare) < len(nodes),
        remedies=(
            Remedy(
                "compare node selector, affinity and tolerations of the DaemonSet with the labels and taints of the node",
                "kubectl -n kube-system describe daemonset aws-node",
            ),
        ),
    )


def _without_pod(node: NodeFacts) -> Evidence:
    return Evidence(f"Node {node.name}", NO_POD, "absent")


def _not_ready(total: int, nodes: tuple[NodeFacts, ...]) -> Finding:
    causes = Counter(cause(node) or NodeCause.OTHER for node in nodes)
    most_first = sorted(causes.items(), key=lambda item: (-item[1], item[0].value))
    words = "; ".join(f"{count}: {item.value}" for item, count in most_first) if len(nodes) > 1 else most_first[0][0].value
    return broken(
        Link.NODES,
        Verdict.NODES_NOT_READY,
        f"{pluralize_share(len(nodes), total, 'node', 'is', 'are')} NotReady for another reason than the CNI ({words}).",
        *map(_evidence, nodes[:3]),
        severity=Severity.WARNING,
    )


def _evidence(node: NodeFacts) -> Evidence:
    return Evidence(f"Node {node.name}", f"Ready ({node.reason})", node.message[:300], node.since)


def pods_not_ready(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    """Reachable pods that should be ready and are not."""
    return tuple(pod for pod in reachable_pods(snapshot) if not pod.ready)


def _failed_at_sts(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    """Pods with the role that do not run and failed at the call for credentials."""
    bound_role = snapshot.desired_role
    mine = (pod for pod in pods_not_ready(snapshot) if pod.role_arn is not None and bound_role in (None, pod.role_arn))
    return tuple(pod for pod in mine if _OF_STS.search(pod.termination_message))


def _sts_unreachable(snapshot: Snapshot) -> Finding | None:
    """Pods with the role that were not refused and get no answer from STS."""
    pods = tuple(
        pod
        for pod in sort_by_age(_failed_at_sts(snapshot))
        if _NO_ANSWER.search(pod.termination_message) and not _REFUSED.search(pod.termination_message)
    )
    if not pods:
        return None
    return broken(
        Link.PERMISSION_ERRORS,
        Verdict.STS_UNREACHABLE,
        f"{pluralize(len(pods), 'pod carries', 'pods carry')} the right role but cannot reach STS to use it.",
        *map(_termination_evidence, pods[:3]),
        remedies=(*_use_regional_endpoint(snapshot, pods), Remedy(_route_to_sts(snapshot.region, snapshot.partition))),
    )


def _route_to_sts(region: str, partition: str) -> str:
    """The name of the endpoint service differs in some partitions, so it is given for the commercial regions alone."""
    endpoint = f"an interface endpoint com.amazonaws.{region}.sts" if partition == "aws" else "an interface endpoint for STS"
    return f"give the subnets of the nodes a route to STS: {endpoint}, or a NAT gateway"


_GLOBAL_STS: Final = re.compile(r"\bsts\.amazonaws\.com\b")


def _use_regional_endpoint(snapshot: Snapshot, pods: tuple[PodFacts, ...]) -> tuple[Remedy, ...]:
    """Pods that call the global host. An interface endpoint of a VPC answers for the regional host only.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/configure-sts-endpoint.html
    """
    if not any(_GLOBAL_STS.search(pod.termination_message) for pod in pods):
        return ()
    target = snapshot.target
    return (
        Remedy(
            "the pods call the global STS host, which no interface endpoint serves: set AWS_STS_REGIONAL_ENDPOINTS=regional with this"
            " annotation, then replace the pods",
            f"kubectl -n {target.namespace} annotate serviceaccount {target.name} eks.amazonaws.com/sts-regional-endpoints=true",
        ),
    )


def _sts_refuses(snapshot: Snapshot) -> Finding | None:
    """Pods with the role that STS refuses. This decides about provider and trust, also where they could not be read."""
    refused = {pod: found[1] for pod in sort_by_age(_failed_at_sts(snapshot)) if (found := _REFUSED.search(pod.termination_message))}
    if not refused:
        return None
    sts_code = next(code for code in _STS_CODES if code in refused.values())
    pods = [pod for pod, code in refused.items() if code == sts_code]
    what, advice = _STS_CODES[sts_code]
    return broken(
        Link.PERMISSION_ERRORS,
        verdict_of_sts(snapshot, sts_code),
        f"{pluralize(len(pods), 'pod carries', 'pods carry')} the role, and STS {what}: {sts_code}.",
        *map(_termination_evidence, pods[:3]),
        remedies=(advice if isinstance(advice, Remedy) else advice(snapshot, pods[0]),),
    )


def _provider_remedy(snapshot: Snapshot, pod: PodFacts) -> Remedy:
    """STS does not accept the token. Where provider and audience are right, the certificate of the issuer is what it does not accept.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
    """
    account, arn = ":".join((pod.role_arn or "").split(":")[4:5]), provider_arn(snapshot) or ""
    if _THUMBPRINT.search(pod.termination_message) or oidc_link(snapshot).state is State.OK:
        return Remedy(
            "provider and audience are right, so update the thumbprint of the provider to that of the issuer's certificate chain",
            f"aws iam update-open-id-connect-provider-thumbprint --open-id-connect-provider-arn {arn} --thumbprint-list <thumbprint>",
        )
    issuer = arn.partition("oidc-provider/")[2]
    return Remedy(f"check that account {account} has an OIDC provider for https://{issuer} with the client ID {audience(snapshot)}")


_THUMBPRINT: Final = re.compile(r"thumbprint", re.IGNORECASE)


def _trust_remedy(snapshot: Snapshot, pod: PodFacts) -> Remedy:
    role, issuer = pod.role_arn or "", (provider_arn(snapshot) or "").partition("oidc-provider/")[2]
    if trust_link(snapshot).state is State.OK:
        text = f"the trust policy of {role_name(role)} allows the ServiceAccount: check for a resource control policy of the organization"
        return Remedy(f"{text} that denies it")
    account = ":".join(role.split(":")[4:5])
    return Remedy(f"allow {snapshot.target.subject} of {issuer} in the trust policy of {role_name(role)} of account {account}")


_STS_CODES: Final[Mapping[str, tuple[str, Remedy | Callable[[Snapshot, PodFacts], Remedy]]]] = {
    "InvalidIdentityToken": ("does not accept their token", _provider_remedy),
    "AccessDenied": ("refuses the role to them", _trust_remedy),
    "ExpiredToken": (
        "reports that their token has expired",
        Remedy("check time synchronization on the nodes and that the kubelet renews the token, then replace the pods"),
    ),
    "IDPRejectedClaim": (
        "reports that the issuer rejected the token, or that the token has expired",
        Remedy("check time synchronization on the nodes, then replace the pods"),
    ),
    "IDPCommunicationError": (
        "cannot reach the OIDC issuer of the cluster",
        Remedy("wait some minutes, and check that the issuer's URL answers from the internet"),
    ),
    "RegionDisabled": (
        "is not active in this region for the account",
        Remedy("activate STS for the region in the account settings of IAM, in the account of the role"),
    ),
    "PackedPolicyTooLarge": (
        "rejects the session policy as too large",
        Remedy("shorten the session policy or the session tags that the workload sends"),
    ),
    "MalformedPolicyDocument": (
        "rejects the session policy as malformed",
        Remedy("correct the session policy that the workload sends"),
    ),
}
"""The documented error codes, in the order of precedence: without a provider, no trust policy is evaluated.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
"""


def _termination_evidence(pod: PodFacts) -> Evidence:
    return Evidence(f"Pod {pod.name}", "last termination", pod.termination_message[:300])
