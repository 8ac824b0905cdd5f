"""What the node watcher is sent of an EKS control-plane log group: the subscription filter on the audit records."""

from typing import Final

from lambdas.contract.parameters import valid_cluster
from lambdas.contract.workloads import WorkloadKind

KUBELET_NOT_READY: Final = "KubeletNotReady"
"""The reason of a kubelet's Ready condition while it is not Ready, whatever keeps it.

Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/kubelet/nodestatus/setters.go
"""

NETWORK_NOT_READY: Final = "NetworkPluginNotReady"
"""In the message of a kubelet's Ready condition while no CNI configuration is there."""

NODE_UNKNOWN: Final = "NodeStatusUnknown"
"""The reason that the node controller gives each condition of a node whose kubelet went quiet.

Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/nodelifecycle/node_lifecycle_controller.go
"""

STREAM_PREFIX: Final = "kube-apiserver-audit-"
"""The log streams of the group that hold audit records; `kube-apiserver-` alone begins those of the server's own log too."""

IDENTITY_RESOURCES: Final = ("serviceaccounts", *(kind.resource for kind in WorkloadKind))
READING_VERBS: Final = ("get", "list", "watch")

# A patch lists the conditions that changed, in no fixed order, and a selector takes one index at a time. Kubelets report four conditions;
# the node monitoring agent adds its own before or after them.
_CONDITIONS: Final = range(8)


def _is(field: str, *values: str) -> str:
    one_of = " || ".join(f'$.{field} = "{value}"' for value in values)
    return f"({one_of})" if len(values) > 1 else one_of


def _pattern() -> str:
    written = " && ".join(f'$.verb != "{verb}"' for verb in READING_VERBS)
    # Token requests and status updates are sub-resources, many, and change no identity.
    identity = f"{_is('objectRef.resource', *IDENTITY_RESOURCES)} && $.objectRef.subresource NOT EXISTS && {written}"
    registered = '$.objectRef.resource = "nodes" && $.verb = "create"'
    status = "$.requestObject.status.conditions"
    unready = " || ".join(f'{status}[{index}].reason = "{KUBELET_NOT_READY}"' for index in _CONDITIONS)
    unknown = f'{status}[0].reason = "{NODE_UNKNOWN}" || {status}[1].reason = "{NODE_UNKNOWN}"'
    return f"{{ ({identity}) || ({registered}) || {unready} || {unknown} }}"


FILTER_PATTERN: Final = _pattern()
"""Changes of ServiceAccounts and workloads, node registrations, nodes that are not Ready or fell silent. At most 1,024 characters.

The pattern is wide: it cannot know which ServiceAccounts are bound, and a new binding must not need a deployment. The watcher narrows it.
Core `events` are not in EKS audit logs, so nothing is built on them.
Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
"""


def log_group(cluster: str) -> str:
    """The CloudWatch log group of a cluster's control plane.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
    """
    return f"/aws/eks/{cluster}/cluster"


def cluster_of(log_group_name: str) -> str | None:
    """The cluster whose control plane writes to this log group, or None where it is no such group."""
    name = log_group_name.removeprefix("/aws/eks/").removesuffix("/cluster")
    return name if valid_cluster(name) and log_group(name) == log_group_name else None
