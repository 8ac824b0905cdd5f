"""Writers of a watched ServiceAccount or its workload."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lambdas.contract.access import BoundWorkload
from lambdas.contract.guard import AUDIT_ANNOTATION, ROLE_CHANGED, ROLE_KEPT
from lambdas.contract.names import CHECKER_GROUP, LEFT_OUT_BY, PROJECT, REMEDIATOR_GROUP, ROLE_ANNOTATION
from lambdas.contract.policy_kinds import PolicyKind
from lambdas.contract.workloads import KNOWN, WorkloadKind
from lambdas.domain.audit.record import Write
from lambdas.domain.requests.request import Actor, RoleEffect
from lambdas.domain.untrusted_json import inside, label, text

_KIND_OF: Final = {"serviceaccounts": "ServiceAccount", **{kind.resource: kind.value for kind in WorkloadKind}}

_HOUSEKEEPERS: Final = frozenset(
    {
        "system:kube-controller-manager",
        *(f"system:serviceaccount:kube-system:{name}-controller" for name in ("daemon-set", "deployment", "statefulset")),
    }
)
"""Controllers that maintain revision annotations and token secrets of these objects. Their writes change no identity.

Source: https://github.com/kubernetes/kubernetes/blob/master/plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go
"""


@dataclass(frozen=True)
class WatchedServiceAccount:
    """One watched ServiceAccount. `workload` is None where only its pods show the workload."""

    namespace: str
    service_account: str
    workload: tuple[WorkloadKind, str] | None = None


def watched(service_accounts: Collection[tuple[str, str]], served: Collection[BoundWorkload] = ()) -> tuple[WatchedServiceAccount, ...]:
    """The ServiceAccounts to watch: the given `(namespace, name)` pairs and every known workload."""
    workloads = {(item.namespace, item.service_account): (item.kind, item.name) for item in KNOWN}
    workloads |= {(item.namespace, item.service_account): (item.kind, item.name) for item in served}
    return tuple(
        WatchedServiceAccount(namespace, name, workloads.get((namespace, name)))
        for namespace, name in sorted({*service_accounts, *workloads})
    )


Role = tuple[str, str]
"""Account and role name."""


def changed_by(write: Write, watching: Collection[WatchedServiceAccount], ours: Collection[Role]) -> list[WatchedServiceAccount]:
    """The ServiceAccounts whose identity a write may have changed; none for writes of the stack and of housekeeping controllers."""
    kind = _KIND_OF.get(write.resource)
    if kind is None or write.subresource:
        return []
    concerned = [one for one in watching if write.namespace == one.namespace and _concerns(write, kind, one)]
    if not concerned or (write.username in _HOUSEKEEPERS and write.verb in ("update", "patch")) or is_ours(write, ours):
        return []
    return concerned


def is_ours(write: Write, ours: Collection[Role]) -> bool:
    """Whether one of the stack's roles made the write.

    The IAM identity decides where the authenticator reports it. A session name, a field manager or a Kubernetes group can be borrowed.
    Without an IAM identity, the stack's groups decide, which only access entries assign.
    """
    arns = [*write.iam_arns, *([write.username] if write.username.startswith("arn:") else [])]
    if arns and ours:
        return all(role_of(arn) in ours for arn in arns)
    return not {CHECKER_GROUP, REMEDIATOR_GROUP}.isdisjoint(write.groups)


@lru_cache(maxsize=1_024)
def role_of(arn: str) -> Role | None:
    """`(account, role name)` of a role ARN (with or without path) or an assumed-role ARN; None for other texts.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1].startswith("aws"):  # noqa: PLR2004
        return None
    names = parts[5].split("/")
    if parts[2] == "sts" and names[0] == "assumed-role" and len(names) == 3:  # noqa: PLR2004
        return parts[4], names[1]
    return (parts[4], names[-1]) if parts[2] == "iam" and names[0] == "role" and len(names) > 1 else None


def _concerns(write: Write, kind: str, one: WatchedServiceAccount) -> bool:
    if write.verb == "deletecollection":  # it names no object: every object of the kind may be gone
        return kind == "ServiceAccount" or (one.workload is not None and one.workload[0] == kind)
    if kind == "ServiceAccount":
        return write.name == one.service_account
    return one.workload == (kind, write.name)


def actor_of(write: Write) -> Actor:
    """Who wrote, and what. It is read from the last write of a batch only."""
    kind = _KIND_OF[write.resource]
    named = f"{kind} {write.namespace}/{write.name}" if write.name else f"every {kind} in {write.namespace}"
    effect = role_effect(write)
    return Actor(
        who=label(next(iter(write.iam_arns[-1:]), "") or write.username) or "unknown",
        what=f"{label(write.verb)} of {label(named)}{_EFFECTS[effect]}",
        agent=write.agent,
        at=write.at,
        address=write.address,
        effect=effect,
    )


_EFFECTS: Final[Mapping[RoleEffect, str]] = {
    RoleEffect.CHANGED: ", which removed or changed its role",
    RoleEffect.KEPT: ", which left out its role; the guard kept it",
    RoleEffect.NONE_AFTER: ", which left it without a role",
    RoleEffect.NOT_KNOWN: "",
}


def role_effect(write: Write) -> RoleEffect:
    """The effect of a write, as the policies of the guard report it, else as the response shows it where the audit policy logs it."""
    if write.resource != "serviceaccounts":
        return RoleEffect.NOT_KNOWN
    if reported := _reported_effect(write):
        return reported
    metadata = inside(write.response, "metadata")
    if write.verb not in ("create", "update", "patch") or not metadata:
        return RoleEffect.NOT_KNOWN
    if not inside(metadata, "annotations", ROLE_ANNOTATION):
        return RoleEffect.NONE_AFTER
    # The policy reports a user only once in a row, and the response shows the user of each request that the guard completed.
    is_left_out = (
        write.verb != "patch" and write.request is not None and not inside(write.request, "metadata", "annotations", ROLE_ANNOTATION)
    )
    is_ours = inside(metadata, "annotations", LEFT_OUT_BY) == write.username
    return RoleEffect.KEPT if is_left_out and is_ours else RoleEffect.NOT_KNOWN


def _reported_effect(write: Write) -> RoleEffect | None:
    """The first validation that the warning reports for this write. Other policies share the audit annotation."""
    try:
        failures = json.loads(text(write.record, "annotations", AUDIT_ANNOTATION) or "[]")
    except (ValueError, RecursionError):
        return None
    ending = f".{PolicyKind.WARNING}.{PROJECT}"
    positions = {
        item.get("expressionIndex", 0)
        for item in (failures if isinstance(failures, list) else ())
        if isinstance(item, dict) and text(item, "policy").endswith(ending)
    }
    return RoleEffect.CHANGED if ROLE_CHANGED in positions else RoleEffect.KEPT if ROLE_KEPT in positions else None
