"""Admission policies that limit the functions' groups in a cluster to the writes that the product makes.

RBAC decides which objects the remediator may patch, not which fields: a stolen role could replace the image of aws-node. The policies
close that gap without a pod or a webhook. They need ValidatingAdmissionPolicy, GA since Kubernetes 1.30.
Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from lambdas.contract.access import BoundWorkload
from lambdas.contract.names import (
    ADMISSION_API,
    CHECKER_GROUP,
    MANAGED_BY,
    PROJECT,
    REMEDIATOR_GROUP,
    RESTARTED_AT_ANNOTATION,
    ROLE_ANNOTATION,
)
from lambdas.contract.workloads import WorkloadKind

MINIMUM_VERSION: Final = (1, 30)
"""The first Kubernetes version that serves `admissionregistration.k8s.io/v1` ValidatingAdmissionPolicy."""
POLICIES_PATH: Final = f"/apis/{ADMISSION_API}/validatingadmissionpolicies"
BINDINGS_PATH: Final = f"/apis/{ADMISSION_API}/validatingadmissionpolicybindings"
ROLES_ANNOTATION: Final = f"{PROJECT}/allowed-roles"
"""On the policy of ServiceAccounts: JSON, `namespace/name` -> the roles that it allows. The spec remains what the API server evaluates."""

_TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"
"""The API server increases this annotation of a DaemonSet itself when its template changes."""

_SPEC_FIELDS: Final[Mapping[WorkloadKind, tuple[str, ...]]] = {
    WorkloadKind.DAEMON_SET: ("updateStrategy", "minReadySeconds", "revisionHistoryLimit"),
    WorkloadKind.DEPLOYMENT: ("replicas", "strategy", "minReadySeconds", "revisionHistoryLimit", "paused", "progressDeadlineSeconds"),
    WorkloadKind.STATEFUL_SET: (
        "replicas",
        "updateStrategy",
        "minReadySeconds",
        "revisionHistoryLimit",
        "serviceName",
        "podManagementPolicy",
        "volumeClaimTemplates",
        "persistentVolumeClaimRetentionPolicy",
        "ordinals",
    ),
}
"""The fields of a workload's spec other than `template` and `selector`.

Source: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/
"""


def limit_policies(bound: Mapping[BoundWorkload, Sequence[str]], *, restarts: bool = True) -> list[dict[str, Any]]:
    """The policies and their bindings, ready to apply, in a stable order.

    Args:
        bound: each bound workload -> the ARNs of the roles that its ServiceAccount may be given. The list must hold the role that is set
            now, or putting it back would be refused.
        restarts: whether the workloads may be restarted. Without it no workload may be changed.
    """
    kinds = [kind for kind in WorkloadKind if restarts and any(workload.kind is kind for workload in bound)]
    policies = [_service_accounts(bound), _pods(bound), *(_workloads(kind, bound) for kind in kinds), _everything_else(kinds)]
    return [manifest for policy in policies for manifest in (policy, _binding(policy["metadata"]["name"]))]


def policy_names(kinds: Iterable[WorkloadKind]) -> tuple[str, ...]:
    """The names of the policies that must be there when workloads of these kinds are bound."""
    return tuple(f"{resource}.limits.{PROJECT}" for resource in ("serviceaccounts", "pods", *(kind.resource for kind in kinds), "others"))


def account(workload: BoundWorkload) -> str:
    """The ServiceAccount of a bound workload as `namespace/name`."""
    return f"{workload.namespace}/{workload.service_account}"


def allowed_roles(policy: Mapping[str, Any]) -> dict[str, list[str]]:
    """The roles that an installed policy of ServiceAccounts declares: `namespace/name` -> roles. Empty where it declares none.

    The declaration is not trusted: `is_installed` compares the spec that follows from it with the spec that the API server evaluates.
    """
    try:
        declared = json.loads((policy["metadata"].get("annotations") or {})[ROLES_ANNOTATION])
        return {str(key): [str(role) for role in roles] for key, roles in declared.items()}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def is_managed(installed: Mapping[str, Any]) -> bool:
    """Whether an installed object is one of ours, not one of another owner with the same name."""
    labels = installed["metadata"].get("labels") or {}
    return MANAGED_BY.items() <= labels.items()


def is_installed(manifest: Mapping[str, Any], installed: Mapping[str, Any]) -> bool:
    """Whether the spec that the API server evaluates is exactly the manifest's, with the defaults that the API server adds."""
    return bool(installed.get("spec") == with_defaults(manifest["spec"]))


def with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a policy or binding as the API server stores it.

    Sources: https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/validating-admission-policy-v1/
    https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/mutating-admission-policy-v1/
    """
    if "matchConstraints" not in spec:
        return dict(spec)
    rules = [rule | {"scope": "*"} for rule in spec["matchConstraints"]["resourceRules"]]
    defaults = {"matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}}
    constraints = {**defaults, **spec["matchConstraints"], "resourceRules": rules}
    filled = {**spec, "matchConstraints": constraints}
    return {key: value for key, value in filled.items() if value != []}


def path_of(manifest: Mapping[str, Any]) -> str:
    """The API path of a policy or a binding of a policy."""
    return f"{collection_of(manifest['kind'])}/{manifest['metadata']['name']}"


def collection_of(kind: str) -> str:
    """The API path of the policies of this kind, or of their bindings."""
    lower = kind.lower()
    return f"/apis/{ADMISSION_API}/{lower + 's' if lower.endswith('binding') else lower.removesuffix('y') + 'ies'}"


def _service_accounts(bound: Mapping[BoundWorkload, Sequence[str]]) -> dict[str, Any]:
    roles = [
        f"(request.namespace == {_text(workload.namespace)} && request.name == {_text(workload.service_account)}"
        f" && variables.role in {json.dumps(sorted(set(allowed)))})"
        for workload, allowed in sorted(bound.items())
    ]
    variables = {
        "now": "object.metadata.?annotations.orValue({})",
        "was": "oldObject.metadata.?annotations.orValue({})",
        "key": _text(ROLE_ANNOTATION),
        "role": "string(variables.now[?variables.key].orValue(''))",
    }
    rules = {
        "only updates of the object itself are allowed": _IS_UPDATE,
        "only the role annotation may change": (
            "variables.now.all(k, k == variables.key || variables.was[?k] == optional.of(variables.now[k]))"
            " && variables.was.all(k, k == variables.key || k in variables.now)"
        ),
        "this role is not bound to this ServiceAccount": (
            "variables.now[?variables.key] == variables.was[?variables.key] || !(variables.key in variables.now) || "
            + (" || ".join(roles) or "false")
        ),
        "no other field may change": _unchanged(
            "metadata.?labels",
            "metadata.?finalizers",
            "metadata.?ownerReferences",
            "?secrets",
            "?imagePullSecrets",
            "?automountServiceAccountToken",
        ),
    }
    policy = _policy("serviceaccounts", "", ("serviceaccounts", "serviceaccounts/*"), rules, variables)
    policy["metadata"]["annotations"] = {ROLES_ANNOTATION: json.dumps({account(key): sorted(set(bound[key])) for key in sorted(bound)})}
    return policy


def _pods(bound: Mapping[BoundWorkload, Sequence[str]]) -> dict[str, Any]:
    accounts = sorted({f"{workload.namespace}/{workload.service_account}" for workload in bound})
    deleted = 'oldObject.metadata.namespace + "/" + oldObject.spec.?serviceAccountName.orValue("")'
    rules = {
        "only pods of bound ServiceAccounts may be deleted, and nothing else may be done to pods": (
            f'request.operation == "DELETE" && request.?subResource.orValue("") == "" && {deleted} in {json.dumps(accounts)}'
        )
    }
    return _policy("pods", "", ("pods", "pods/*"), rules)


def _workloads(kind: WorkloadKind, bound: Mapping[BoundWorkload, Sequence[str]]) -> dict[str, Any]:
    names = sorted({f"{workload.namespace}/{workload.name}" for workload in bound if workload.kind is kind})
    variables = {
        "now": "object.spec.template.?metadata.?annotations.orValue({})",
        "was": "oldObject.spec.template.?metadata.?annotations.orValue({})",
        "own": "object.metadata.?annotations.orValue({})",
        "old": "oldObject.metadata.?annotations.orValue({})",
    }
    rules = {
        "only updates of the object itself are allowed": _IS_UPDATE,
        "this workload is not bound": f'request.namespace + "/" + request.name in {json.dumps(names)}',
        "the pod spec may not change": "object.spec.template.spec == oldObject.spec.template.spec",
        "only the restart annotation of the template may change": (
            f"variables.now.all(k, k == {_text(RESTARTED_AT_ANNOTATION)} || variables.was[?k] == optional.of(variables.now[k]))"
            " && variables.was.all(k, k in variables.now)"
        ),
        "the rollout settings may not change": _unchanged(
            "spec.template.?metadata.?labels", "spec.selector", *(f"spec.?{field}" for field in _SPEC_FIELDS[kind])
        ),
        "the metadata may not change": (
            _unchanged("metadata.?labels", "metadata.?finalizers", "metadata.?ownerReferences")
            + f" && variables.own.all(k, k == {_text(_TEMPLATE_GENERATION)} || variables.old[?k] == optional.of(variables.own[k]))"
            + " && variables.old.all(k, k in variables.own)"
        ),
    }
    return _policy(kind.resource, "apps", (kind.resource, f"{kind.resource}/*"), rules, variables)


def _everything_else(kinds: Iterable[WorkloadKind]) -> dict[str, Any]:
    """No other kind may be written, and the checker writes nothing: even where the groups are bound to a larger role."""
    limited = ["/serviceaccounts", "/pods", *(f"apps/{kind.resource}" for kind in kinds)]
    reviews = ["authorization.k8s.io/selfsubjectaccessreviews", "authentication.k8s.io/selfsubjectreviews"]
    resource = 'request.resource.group + "/" + request.resource.resource'
    is_remediator = f"{_text(REMEDIATOR_GROUP)} in request.userInfo.groups"
    allowed = f"{resource} in {json.dumps(reviews)} || ({is_remediator} && {resource} in {json.dumps(limited)})"
    rules = {"this kind may not be written": allowed}
    return _policy("others", "*", ("*/*",), rules, groups=(CHECKER_GROUP, REMEDIATOR_GROUP))


def _policy(
    name: str,
    group: str,
    resources: Sequence[str],
    rules: Mapping[str, str],
    variables: Mapping[str, str] | None = None,
    *,
    groups: Sequence[str] = (REMEDIATOR_GROUP,),
) -> dict[str, Any]:
    ours = " || ".join(f"{_text(limited)} in request.userInfo.groups" for limited in groups)
    return {
        "apiVersion": ADMISSION_API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"{name}.limits.{PROJECT}", "labels": dict(MANAGED_BY)},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [{"apiGroups": [group], "apiVersions": ["*"], "resources": list(resources), "operations": ["*"]}]
            },
            "matchConditions": [{"name": "limited-groups", "expression": ours}],
            "variables": [{"name": variable, "expression": expression} for variable, expression in (variables or {}).items()],
            "validations": [
                {"message": f"{PROJECT}: {message}", "expression": expression, "reason": "Forbidden"}
                for message, expression in rules.items()
            ],
        },
    }


def _binding(policy: str) -> dict[str, Any]:
    return {
        "apiVersion": ADMISSION_API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": policy, "labels": dict(MANAGED_BY)},
        "spec": {"policyName": policy, "validationActions": ["Deny"]},
    }


# `request.subResource` is absent where there is none.
_IS_UPDATE: Final = 'request.operation == "UPDATE" && request.?subResource.orValue("") == ""'


def _unchanged(*fields: str) -> str:
    return " && ".join(f"object.{field} == oldObject.{field}" for field in fields)


def _text(value: str) -> str:
    """A CEL string literal."""
    return json.dumps(value)
