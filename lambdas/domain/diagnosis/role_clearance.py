"""What is missing before a message may say that the role is not the cause. Pure."""

from collections.abc import Sequence
from typing import Final

from lambdas.domain.diagnosis.finding import Finding, Link, State
from lambdas.domain.diagnosis.links.annotation import uses_pod_identity
from lambdas.domain.snapshot.node_reachability import reachable_pods
from lambdas.domain.snapshot.snapshot import RoleFacts, Snapshot

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


def unproven(snapshot: Snapshot, findings: Sequence[Finding]) -> tuple[str, ...]:
    """What was not shown about the role, in the order of the chain; empty where the role is shown not to be the cause.

    A link that does not apply shows nothing, and no pod with the role shows nothing.
    """
    if uses_pod_identity(snapshot):
        return _unproven_with_pod_identity(snapshot, findings)
    carry = [pod.role_arn == snapshot.desired_role for pod in reachable_pods(snapshot)]
    shown = {link: findings[link - 1].state is State.OK for link in REQUIRED} | {Link.PODS: bool(carry) and all(carry)}
    missing = tuple(words for link, words in REQUIRED.items() if not shown[link])
    return missing if _credentials_shown(snapshot) else (*missing, CREDENTIALS)


def _credentials_shown(snapshot: Snapshot) -> bool:
    """Whether no pod with the role runs without becoming ready. A pod that never ran has not asked for credentials."""
    return not any(not pod.ready and pod.has_run for pod in reachable_pods(snapshot) if pod.role_arn)


def _unproven_with_pod_identity(snapshot: Snapshot, findings: Sequence[Finding]) -> tuple[str, ...]:
    """With an association, the calls that the role allows are not simulated, so the role is never cleared."""
    missing = [] if isinstance(snapshot.role, RoleFacts) and findings[Link.MECHANISM - 1].state is State.OK else ["the role and its trust"]
    missing += [] if snapshot.agent_installed is True else ["whether the Pod Identity agent is installed"]
    missing += [] if any(pod.container_credentials for pod in reachable_pods(snapshot)) else ["whether pods have credentials"]
    return (*missing, REQUIRED[Link.PERMISSIONS])
