"""Verdicts: names of faults, and groups of them."""

from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """The name of a fault. Each has a runbook of the same name in `docs/runbooks/`."""

    HEALTHY = "healthy"  # every link was read and holds
    NO_FAULT_FOUND = "no-fault-found"  # no link is broken, and not every link is shown to hold
    NOT_APPLICABLE = "not-applicable"
    POD_IDENTITY_IN_USE = "pod-identity-in-use"
    ASSOCIATION_MISSING = "association-missing"
    ASSOCIATION_DIFFERS = "association-differs"
    POD_IDENTITY_AGENT_MISSING = "pod-identity-agent-missing"
    POD_IDENTITY_AGENT_NOT_ON_NODE = "pod-identity-agent-not-on-node"
    POD_IDENTITY_NOT_TRUSTED = "pod-identity-not-trusted"
    NO_ACCESS = "no-access"
    CLUSTER_GONE = "cluster-gone"
    CLUSTER_INITIALIZING = "cluster-initializing"
    ADDON_NOT_INSTALLED = "addon-not-installed"
    SERVICE_ACCOUNT_MISMATCH = "service-account-mismatch"
    BINDING_INVALID = "binding-invalid"
    OIDC_PROVIDER_MISSING = "oidc-provider-missing"
    TRUST_OTHER_ISSUER = "trust-other-issuer"
    TRUST_CONDITION_WRONG = "trust-condition-wrong"
    PERMISSIONS_MISSING = "permissions-missing"
    UPDATE_IN_PROGRESS = "update-in-progress"
    ADDON_DEGRADED = "addon-degraded"
    ADDON_ROLE_MISSING = "addon-role-missing"
    ANNOTATION_MISSING = "annotation-missing"
    ANNOTATION_WIPED = "annotation-wiped"
    ANNOTATION_DIFFERS = "annotation-differs"
    ANNOTATION_KEY_MISSPELT = "annotation-key-misspelt"
    PODS_STALE = "pods-stale"
    ANNOTATION_UNCLAIMED = "annotation-unclaimed"
    GUARD_DIFFERS = "guard-differs"
    ROLE_KEPT = "role-kept"
    ROLE_IN_POD_TEMPLATE = "role-in-pod-template"
    PODS_NOT_CREATED = "pods-not-created"
    PODS_WITHOUT_CREDENTIALS = "pods-without-credentials"
    PODS_STUCK = "pods-stuck"
    PODS_NOT_READY = "pods-not-ready"
    WEBHOOK_MISSED = "webhook-missed"
    STS_UNREACHABLE = "sts-unreachable"
    STS_ERROR = "sts-error"
    NODES_WAITING_FOR_CNI = "nodes-waiting-for-cni"
    NODES_NOT_READY = "nodes-not-ready"
    FLAPPING = "flapping"


WITHOUT_FAULT: Final = frozenset({Verdict.HEALTHY, Verdict.NO_FAULT_FOUND})
"""Verdicts about a role annotation where no link is broken."""
ANNOTATION_VERDICTS: Final = frozenset(
    {
        Verdict.ANNOTATION_MISSING,
        Verdict.ANNOTATION_WIPED,
        Verdict.ANNOTATION_DIFFERS,
        Verdict.ANNOTATION_KEY_MISSPELT,
    }
)
ASSOCIATION_VERDICTS: Final = frozenset({Verdict.ASSOCIATION_MISSING, Verdict.ASSOCIATION_DIFFERS})
REPAIRABLE: Final = (
    ANNOTATION_VERDICTS
    | ASSOCIATION_VERDICTS
    | {
        Verdict.ANNOTATION_UNCLAIMED,
        Verdict.ADDON_ROLE_MISSING,
        Verdict.PODS_STALE,
        Verdict.WEBHOOK_MISSED,
        Verdict.PODS_WITHOUT_CREDENTIALS,
    }
)
"""Verdicts that an action can repair."""
