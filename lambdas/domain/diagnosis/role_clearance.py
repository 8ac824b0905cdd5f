"""What is missing before a message may say that the role is not the cause. Pure."""

from collections.abc import Sequence
from typing import Final

from lambdas.domain.diagnosis.finding import Finding, Link, State
from lambdas.domain.diagnosis.links.pod_identity_agent import is_agent_shown
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source, role_check, uses_pod_identity
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import PodFacts, Snapshot

REQUIRED: Final = {
    Link.WORKLOAD: "whether the workload uses this ServiceAccount",
    Link.MECHANISM: "whether a pod identity association exists",
    Link.ROLE: "the role",
    Link.OIDC_PROVIDER: "the OIDC provider",
    Link.TRUST: "the trust policy",
    Link.PERMISSIONS: "whether the role allows every call that this release needs",
    Link.ANNOTATION: "the annotation",
    Link.PODS: "whether pods have the role",
    Link.PERMISSION_ERRORS: "whether AWS refused calls",
}
"""The links that must all hold, with the words for one that was not shown to hold."""
CREDENTIALS: Final = "whether STS gives credentials to the pods that do not become ready"
"""Where STS does not answer, no API shows it: the CNI writes it to a file on the node, and CloudTrail has no record.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/v1.23.1/pkg/utils/logger/config.go
"""
_OF_IRSA_ONLY: Final = frozenset({Link.OIDC_PROVIDER, Link.ANNOTATION})
_AGENT: Final = "whether the Pod Identity agent is ready on each node"
AGENT_CREDENTIALS: Final = "whether the Pod Identity agent gives credentials to the pods that do not become ready"


def unproven(snapshot: Snapshot, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What was not shown about the role, in the order of the chain; empty where the role is shown not to be the cause.

    A link that does not apply shows nothing, and no pod with the role shows nothing.
    """
    pod_identity = uses_pod_identity(snapshot)
    carry = list(map(role_check(snapshot), reachable_pods(snapshot)))
    pods_exist = findings[Link.PODS - 1].state is not State.UNKNOWN
    shown = {link: findings[link - 1].state is State.OK for link in REQUIRED} | {Link.PODS: pods_exist and bool(carry) and all(carry)}
    required = {link: words for link, words in REQUIRED.items() if not (pod_identity and link in _OF_IRSA_ONLY)}
    missing = [words for link, words in required.items() if not shown[link]]
    missing += [_AGENT] if pod_identity and not is_agent_shown(snapshot) else []
    missing += [] if _credentials_shown(snapshot) else [AGENT_CREDENTIALS if pod_identity else CREDENTIALS]
    return tuple(missing)


def _credentials_shown(snapshot: Snapshot) -> bool:
    """Whether no pod with the role runs without becoming ready. A pod that never ran has not asked for credentials."""
    return not any(not pod.ready and pod.has_run and _has_role(pod) for pod in reachable_pods(snapshot))


def _has_role(pod: PodFacts) -> bool:
    return credential_source(pod) in (CredentialSource.WEB_IDENTITY, CredentialSource.ASSOCIATION)
