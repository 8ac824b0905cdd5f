"""Names that outlive one process. They are stored in clusters, parameters, events and alarms, so they are an interface."""

from typing import Final

from lambdas.contract.version import VERSION

PROJECT: Final = "eks-irsa-remediator"

MANAGED_BY: Final = {"app.kubernetes.io/managed-by": PROJECT}
"""The label of the objects that the command line creates in clusters."""
ADMISSION_API: Final = "admissionregistration.k8s.io/v1"
"""The API version of admission policies and their bindings."""

PARAMETER_ROOT: Final = f"/{PROJECT}"
ANY_CLUSTER: Final = "_default"
"""The cluster segment of a parameter that applies to every cluster without a parameter of its own."""

FIELD_MANAGER: Final = PROJECT
"""The field manager of all writes, as `metadata.managedFields` shows it."""

ADDON_MANAGER: Final = "eks"
"""The field manager of EKS add-ons.

Source: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-field-management.html
"""

CHECKER_GROUP: Final = f"{PROJECT}:checker"
REMEDIATOR_GROUP: Final = f"{PROJECT}:remediator"
"""Kubernetes groups that the access entries assign and the generated RBAC binds."""

EVENT_SOURCE: Final = PROJECT
"""`source` of the stack's own events. PutEvents refuses sources that begin with `aws.`."""

ALARM_PREFIX: Final = f"{PROJECT}-nodes-"
"""Prefix of the CloudWatch alarms that request a check. The rest of the alarm's name is the cluster."""

METRIC_NAMESPACE: Final = "EksIrsaRemediator"

ROLE_ANNOTATION: Final = "eks.amazonaws.com/role-arn"
LEFT_OUT_BY: Final = f"{PROJECT}/role-left-out-by"
"""On a ServiceAccount: the user whose request the guard completed last. It stays until a writer replaces the annotations."""
RESTARTED_AT_ANNOTATION: Final = "kubectl.kubernetes.io/restartedAt"
"""The pod template annotation that `kubectl rollout restart` sets.

Source: https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_restart/
"""

STS_AUDIENCE: Final = "sts.amazonaws.com"
AUDIENCE_ANNOTATION: Final = "eks.amazonaws.com/audience"
"""Annotation of a ServiceAccount whose tokens have another audience.

Source: https://github.com/aws/amazon-eks-pod-identity-webhook/blob/HEAD/README.md
"""
IDENTITY_WEBHOOK: Final = "pod-identity-webhook"
"""The `MutatingWebhookConfiguration` of the identity webhook. EKS runs the webhook, but the object is in the cluster's API.

Clusters in which it did not exist injected no role.
Sources: https://github.com/aws/amazon-eks-pod-identity-webhook/issues/68 (present on EKS 1.15, absent on 1.16)
https://github.com/aws/amazon-eks-pod-identity-webhook/issues/135 (absent on EKS 1.21, present in other clusters)
https://github.com/awsdocs/amazon-eks-user-guide/pull/894 (two EKS clusters compared by this object)
"""
CNI_ADDON: Final = "vpc-cni"
POD_IDENTITY_AGENT_ADDON: Final = "eks-pod-identity-agent"
AGENT_NAMESPACE: Final = "kube-system"
AGENT_LABEL: Final = "app.kubernetes.io/name"
AGENT_NAMES: Final = ("eks-pod-identity-agent", "eks-pod-identity-agent-hybrid", "eks-pod-identity-agent-hybrid-bottlerocket")
"""Values of the label on the agent's pods. Its DaemonSets for hybrid nodes have a suffix.

Source: https://github.com/aws/eks-pod-identity-agent/blob/main/charts/eks-pod-identity-agent/templates/_helpers.tpl
"""

RUNBOOK_ROOT: Final = f"https://github.com/eks-irsa-remediator/eks-irsa-remediator/blob/v{VERSION}/docs/runbooks"
"""Base of the runbook links in messages, at the tag of the deployed release. A fork sets its own."""
