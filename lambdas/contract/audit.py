"""The subscription filter that selects audit records of an EKS control-plane log group for the node watcher."""

from typing import Final

from lambdas.contract.parameters import valid_cluster
from lambdas.contract.workloads import WorkloadKind

KUBELET_NOT_READY: Final = "KubeletNotReady"
"""The reason of the kubelet's Ready condition while the node is not Ready, for any cause.

Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/kubelet/nodestatus/setters.go
"""

NETWORK_NOT_READY: Final = "NetworkPluginNotReady"
"""A text in the message of the Ready condition while the node has no CNI configuration."""

NODE_UNKNOWN: Final = "NodeStatusUnknown"
"""The reason that the node controller sets in each condition of a node whose kubelet stopped reporting.

Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/nodelifecycle/node_lifecycle_controller.go
"""

STREAM_PREFIX: Final = "kube-apiserver-audit-"
"""Prefix of the log streams that hold audit records. The prefix `kube-apiserver-` alone matches the server's own log as well."""

IDENTITY_RESOURCES: Final = ("serviceaccounts", *(kind.resource for kind in WorkloadKind))
READING_VERBS: Final = ("get", "list", "watch")

FAILED_OPEN: Final = "failed-open.mutation.webhook.admission.k8s.io/"
"""Prefix of the audit annotation of a request for which a mutating webhook did not answer and was skipped. Its value names the webhook.

Source: https://pkg.go.dev/k8s.io/apiserver/pkg/admission/plugin/webhook/mutating#pkg-constants
"""
POD_NAMESPACE: Final = "kube-system"
"""The namespace whose created pods pass the filter. The rest of an annotation's name is the position of the webhook, and a selector takes
no wildcard in a name, so a pattern cannot select the annotation. The pods of every namespace would be too many.
"""
_NOT_READY_PATTERN: Final = "KubeletN*"
"""Matches `KUBELET_NOT_READY` and no other reason of a kubelet, such as `KubeletReady` and `KubeletHasSufficientMemory`."""

# A patch lists the changed conditions in no fixed order, and a selector takes one index. Kubelets report four conditions, and the node
# monitoring agent adds its own before or after them.
_CONDITIONS: Final = range(8)


def _is(field: str, *values: str) -> str:
    one_of = " || ".join(f'$.{field} = "{value}"' for value in values)
    return f"({one_of})" if len(values) > 1 else one_of


def _pattern() -> str:
    written = " && ".join(f'$.verb != "{verb}"' for verb in READING_VERBS)
    # Token requests and status updates are sub-resources. They are frequent and change no identity.
    identity = f"{_is('objectRef.resource', *IDENTITY_RESOURCES)} && $.objectRef.subresource NOT EXISTS && {written}"
    registered = '$.objectRef.resource = "nodes" && $.verb = "create"'
    status = "$.requestObject.status.conditions"
    unready = " || ".join(f'{status}[{index}].reason = "{_NOT_READY_PATTERN}"' for index in _CONDITIONS)
    # Kubelets patch the status. The node controller updates it, with every condition, so that no index has to be named.
    silent = '$.objectRef.resource = "nodes" && $.objectRef.subresource = "status" && $.verb = "update"'
    pods = f'$.objectRef.resource = "pods" && $.verb = "create" && $.objectRef.namespace = "{POD_NAMESPACE}"'
    return f"{{ ({identity}) || ({registered}) || {unready} || ({silent}) || ({pods}) }}"


FILTER_PATTERN: Final = _pattern()
"""Selects changes of ServiceAccounts and workloads, node registrations, nodes that are not Ready or stopped reporting, and created pods.

A node whose kubelet is silent is found at any position of its conditions, because other programs may put their conditions first.
The pattern has at most 1,024 characters. It does not name bound ServiceAccounts, because a new binding must not need a deployment; the
node watcher filters further. EKS audit logs do not contain core `events`.
Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
"""


def log_group(cluster: str) -> str:
    """The CloudWatch log group of a cluster's control plane.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
    """
    return f"/aws/eks/{cluster}/cluster"


def cluster_of(log_group_name: str) -> str | None:
    """The cluster whose control plane writes to this log group; None where the log group belongs to no control plane."""
    name = log_group_name.removeprefix("/aws/eks/").removesuffix("/cluster")
    return name if valid_cluster(name) and log_group(name) == log_group_name else None
